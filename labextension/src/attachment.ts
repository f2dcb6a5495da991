import type { IComm, IKernelConnection, ISessionContext } from '@jupyterlab/services';

/** What mlwidgets.views.attach says. */
export type Told =
  | { readonly type: 'live'; readonly model: string }
  | { readonly type: 'plain' | 'saved' | 'ended'; readonly data: Record<string, unknown> }
  | { readonly type: 'unknown' };

const TARGET = 'mlwidgets';
/** Makes a kernel answer that has not loaded mlwidgets; where it is not installed the error goes nowhere. */
const LISTEN = "__import__('mlwidgets.views.attach', fromlist=['listen']).listen()";
const PATIENCE = 2000;
/** Milliseconds after which a kernel that has nothing to do has not got the question. */
const SILENCE = 5000;
const GONE = new Set(['restarting', 'autorestarting', 'terminating', 'dead', 'unknown']);
const THERE = new Set(['idle', 'busy']);

/** What each kernel was asked, so that one notebook with many runs asks it once. A restart asks anew. */
const asked = new WeakMap<IKernelConnection, Promise<unknown>>();

const waking = new WeakSet<IKernelConnection>();

/** Hears from whichever kernel an output's notebook has how runs are, across restarts and changes of the kernel. */
export class Attachment {
  private comm: IComm | null = null;
  /** Whether the kernel has been told of the comm. */
  private opened = false;
  private kernel: IKernelConnection | null = null;
  private disposed = false;

  constructor(
    private readonly session: ISessionContext,
    private readonly runs: readonly string[],
    private readonly told: (news: Told) => void,
    private readonly lost: () => void,
  ) {
    session.statusChanged.connect(this.onStatus);
    session.kernelChanged.connect(this.onKernel);
    this.connect();
  }

  dispose(): void {
    this.disposed = true;
    this.session.statusChanged.disconnect(this.onStatus);
    this.session.kernelChanged.disconnect(this.onKernel);
    this.close();
  }

  private readonly onStatus = (_sender: unknown, status: string): void => {
    if (GONE.has(status)) this.letGo();
    else if (THERE.has(status)) this.connect();
  };

  private readonly onKernel = (): void => {
    this.letGo();
    this.connect();
  };

  private letGo(): void {
    if (!this.kernel) return;
    asked.delete(this.kernel);
    this.kernel = null;
    this.close();
    this.lost();
  }

  private connect(): void {
    const kernel = this.session.session?.kernel;
    if (!kernel || kernel === this.kernel || kernel.isDisposed || !kernel.handleComms) return;
    this.kernel = kernel;
    this.open(kernel, false);
  }

  private open(kernel: IKernelConnection, again: boolean): void {
    const comm = kernel.createComm(TARGET);
    let heard = false;
    comm.onMsg = (message) => {
      heard = true;
      this.told(message.content.data as unknown as Told);
    };
    comm.onClose = () => {
      // Nobody listens in this kernel, perhaps not yet.
      if (heard || this.comm !== comm) return;
      heard = again;
      if (again) return;
      this.comm = null;
      void this.ask(kernel).then(() => {
        if (!this.disposed && this.kernel === kernel) this.open(kernel, true);
      });
    };
    this.comm = comm;
    this.opened = false;
    void readyToOpen(kernel, comm).then(() => {
      if (this.comm !== comm || comm.isDisposed) return;
      comm.open({ runs: [...this.runs] });
      this.opened = true;
    });
    // A message sent to a kernel that was about to restart is lost; one that is still starting or at work may answer yet.
    const insist = (): void => {
      if (heard || this.disposed || this.comm !== comm) return;
      if (kernel.status === 'idle') {
        void wake(kernel);
        this.close();
        this.open(kernel, false);
      } else {
        window.setTimeout(insist, SILENCE);
      }
    };
    window.setTimeout(insist, SILENCE);
  }

  private ask(kernel: IKernelConnection): Promise<unknown> {
    const before = asked.get(kernel);
    if (before) return before;
    const asking = kernel.info.then(async ({ language_info: { name } }) => {
      if (name !== 'python') return;
      const content = { code: LISTEN, silent: true, store_history: false, allow_stdin: false, stop_on_error: false };
      // A cell that fails takes with it what waits behind it.
      while ((await kernel.requestExecute(content).done)?.content.status === 'aborted');
    });
    asked.set(kernel, asking.catch(() => undefined));
    return asked.get(kernel) ?? asking;
  }

  private close(): void {
    const { comm } = this;
    this.comm = null;
    if (!comm || comm.isDisposed) return;
    try {
      if (this.opened) comm.close();
      else comm.dispose();
    } catch {
      // The connection went first.
    }
  }
}

/**
 * Connect to the kernel once more, for a moment. ipykernel 7 before 7.4 can overlook what comes while it answers, and
 * all that comes after, until somebody connects: https://github.com/ipython/ipykernel/issues/1554
 */
async function wake(kernel: IKernelConnection): Promise<void> {
  if (waking.has(kernel)) return;
  waking.add(kernel);
  const another = kernel.clone();
  const patience = new Promise((resolve) => window.setTimeout(resolve, PATIENCE));
  await Promise.race([another.info, patience]).catch(() => undefined);
  another.dispose();
  waking.delete(kernel);
}

/** Wait for the subshell of this comm, where kernels have them: a busy kernel answers there, and nowhere else. */
async function readyToOpen(kernel: IKernelConnection, comm: IComm): Promise<void> {
  await kernel.info;
  if (kernel.supportsSubshells !== true) return;
  const patience = new Promise((resolve) => window.setTimeout(resolve, PATIENCE));
  await Promise.race([comm.subshellStarted, patience]).catch(() => undefined);
}
