// Runs of a notebook's output as the server tells of them: live with no kernel, and with no cell executed.
import { keyOf } from '../../panel/model.ts';
import { Refused } from '../../panel/api.ts';
import type { Project } from '../../panel/project.ts';
import type { Channel } from '../../panel/stream.ts';
import type { RunSource } from '../../views/model.ts';

export interface ServedListener {
  /** `source` holds the runs from now on, or the server no longer has them. */
  changed(): void;
  /** All have ended: what the notebook should keep. */
  ended(bundle: Record<string, unknown>): void;
}

/** Milliseconds after which a server that did not say whether it has a run is asked again. */
const AGAIN = 5000;

/** Looks for runs in the stores that the server knows, and follows them where it finds them. */
export class ServedRuns {
  private channel: Channel | null = null;
  private readonly end: () => void;
  private looked: string | null = null;
  private told = false;
  private disposed = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private shown: RunSource | null = null;

  constructor(
    private readonly project: Project,
    private readonly runs: readonly string[],
    private readonly listener: ServedListener,
    private readonly open?: (store: string, run: string) => void,
  ) {
    this.end = project.subscribe(() => {
      void this.look();
    });
    void this.look();
  }

  /** The runs, once the server has told of them; they stand still while it is away. */
  get source(): RunSource | null {
    return this.shown;
  }

  dispose(): void {
    this.disposed = true;
    clearTimeout(this.timer);
    this.end();
    this.channel?.dispose();
    this.channel = null;
    this.shown = null;
  }

  private async look(): Promise<void> {
    this.show();
    const stores = this.project.stores.map(({ store }) => store);
    const key = stores.join('\n');
    if (this.channel || !stores.length || key === this.looked || !this.runs.length) return;
    this.looked = key;
    for (const store of stores) {
      if (!(await this.isIn(store)) || this.over()) continue;
      const { open } = this;
      this.channel = this.project.follow(store, this.runs);
      if (open) {
        this.channel.open = (run) => {
          open(store, run);
        };
      }
      this.channel.subscribe(() => {
        this.show();
        void this.keep(store);
      });
      return;
    }
  }

  /** Whether the run is there is not known: the server may know in a moment. */
  private lookAgain(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.looked = null;
      if (!this.disposed) void this.look();
    }, AGAIN);
  }

  private over(): boolean {
    return this.disposed || this.channel !== null;
  }

  private async isIn(store: string): Promise<boolean> {
    const [id = ''] = this.runs;
    if (this.project.list.get(keyOf({ store, id }))) return true;
    try {
      await this.project.api.run(store, id);
      return true;
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 404) this.lookAgain();
      return false;
    }
  }

  private show(): void {
    const { channel } = this;
    const there = channel?.runs.length && !channel.error ? channel : null;
    if (there === this.shown || this.disposed) return;
    this.shown = there;
    this.listener.changed();
  }

  private async keep(store: string): Promise<void> {
    const [id, ...others] = this.runs;
    if (this.told || !this.channel?.over || id === undefined || others.length) return;
    this.told = true;
    try {
      const bundle = await this.project.api.bundle(store, id);
      if (!this.disposed) this.listener.ended(bundle);
    } catch {
      // The notebook keeps what it has; the next time that it is opened it is asked for again.
      this.told = false;
    }
  }
}
