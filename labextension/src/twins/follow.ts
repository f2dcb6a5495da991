// Between an open notebook and its text twin: what is written into the text elsewhere comes here, and nothing is lost.
import { Refused } from '../../panel/api.ts';
import { pathOf } from '../panel/notebooks.ts';
import { hold } from '../changes/hold.ts';
import { ALONE, type Choice, type Conflict, type TwinsApi, type TwinState } from './api.ts';
import { countChanged, put, reload, statesOf, textOf, type Edited } from './model.ts';

/** Milliseconds between two looks at the text: while somebody looks at the page, and while nobody does. */
const LOOK = 2000;
const LOOK_BEHIND = 15_000;
/** The server is asked again this often where it could not be asked. */
const AWAY = 10_000;
/** So often a merge is tried while somebody types in between. */
const TRIES = 8;
/** Milliseconds between two looks whether a save has ended. */
const BREATH = 50;

export class Followed {
  state: TwinState = ALONE;
  /** What the last look at the text brought, until the next save. */
  taken = 0;
  private timer = 0;
  private turn: Promise<unknown> = Promise.resolve();
  private waiting = false;
  private saving = false;
  /** The state of the text that was looked at last. */
  private seen: string | null = null;
  private path: string;

  constructor(
    readonly panel: Edited,
    private readonly api: TwinsApi,
    private readonly news: { changed(): void; cannotSave(): void },
  ) {
    const { context } = panel;
    this.path = pathOf(panel);
    context.saveState.connect(this.onSave);
    context.pathChanged.connect(this.onPath);
    context.disposed.connect(() => { this.dispose(); });
    window.addEventListener('focus', this.look);
    document.addEventListener('visibilitychange', this.look);
    void context.ready.then(this.look);
  }

  dispose(): void {
    window.clearTimeout(this.timer);
    window.removeEventListener('focus', this.look);
    document.removeEventListener('visibilitychange', this.look);
    if (this.state.twin !== null) this.api.close(this.path);
  }

  /** Look at the text now. */
  readonly look = (): void => {
    void this.refresh();
  };

  /** One look after the other; one that is asked for meanwhile comes at the end. */
  async refresh(): Promise<void> {
    if (this.waiting || this.panel.context.isDisposed) return this.turn as Promise<void>;
    this.waiting = true;
    await this.inTurn(async () => {
      this.waiting = false;
      window.clearTimeout(this.timer);
      let next = AWAY;
      try {
        await this.once();
        if (this.isPaired) next = document.visibilityState === 'visible' ? LOOK : LOOK_BEHIND;
      } catch (error) {
        // An older server has no such route; of one that does not answer nothing is known.
        if (error instanceof Refused && error.status === 404) return;
      }
      if (this.isPaired && !this.panel.context.isDisposed) this.timer = window.setTimeout(this.look, next);
    });
  }

  /** What is to be decided about the notebook as it is now. */
  async conflicts(): Promise<readonly Conflict[]> {
    if (this.state.shared) return (await this.api.state(this.path)).conflicts;
    const merge = await this.api.merge(this.path, textOf(this.panel.context.model));
    return merge?.conflicts ?? [];
  }

  /** Carry out decisions; what is left to be decided. What is replaced is kept first. */
  settle(choices: Readonly<Record<string, Choice>>, said: string): Promise<readonly Conflict[]> {
    const { context, node } = this.panel;
    if (this.state.shared) return this.api.settle(this.path, choices);
    return this.inTurn(() =>
      hold([node], said, async () => {
        if (context.model.dirty) await context.save();
        const before = statesOf(context.model);
        const merge = await this.api.merge(this.path, textOf(context.model), choices);
        if (!merge) return this.state.conflicts;
        if (merge.conflicts.length > 0) return merge.conflicts;
        if (!put(context.model, before, merge)) return this.conflicts();
        await context.save();
        return [];
      }),
    );
  }

  /** Let it have no twin from now on. */
  unpair(): Promise<void> {
    const { context, node } = this.panel;
    return this.inTurn(() =>
      hold([node], '', async () => {
        if (context.model.dirty) await context.save();
        await this.api.unpair(this.path);
        if (!this.state.shared) await reload(this.panel);
        this.show(ALONE);
      }),
    );
  }

  /** Also where it cannot be read what the twin is called. */
  private get isPaired(): boolean {
    return this.state.twin !== null || this.state.problem !== null;
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work, work);
    this.turn = done.catch(() => undefined);
    return done;
  }

  private async once(): Promise<void> {
    const { context } = this.panel;
    const before = context.contentsModel?.hash ?? null;
    const state = await this.api.state(this.path);
    // What was taken and is not saved yet is asked for no more.
    const waits = state.news && state.text === this.seen && context.model.dirty;
    // Of a conflict with an edit that is not saved the files know nothing.
    this.show(waits ? { ...state, conflicts: this.state.conflicts } : state);
    if (state.twin === null || state.shared || context.isDisposed) return;
    if (state.news && !waits) await this.take();
    else if (this.isElsewhere(state, before)) {
      // Once more: a save may have been on its way.
      const again = await this.api.state(this.path);
      if (this.isElsewhere(again, before) && again.hash === state.hash && !again.news) await reload(this.panel);
    }
  }

  /** Whether the file was written by somebody else, and nothing is in the open notebook that is not in it. */
  private isElsewhere({ hash }: TwinState, before: string | null): boolean {
    const { context } = this.panel;
    const known = context.contentsModel?.hash ?? null;
    return hash !== null && known !== null && hash !== known && known === before && !context.model.dirty && !this.saving;
  }

  /** Let what the text says flow into the open notebook; one without unsaved edits is saved then. */
  private async take(): Promise<void> {
    const { context } = this.panel;
    for (let n = 0; n < TRIES; n += 1) {
      const clean = !context.model.dirty;
      const before = statesOf(context.model);
      const merge = await this.api.merge(this.path, textOf(context.model));
      if (!merge || context.isDisposed) return;
      this.show({ ...this.state, conflicts: merge.conflicts });
      if (merge.conflicts.length === 0 && !merge.cells && !merge.metadata) {
        // What is open has all of it. Where the file has not, that is nothing that one edits.
        if (clean) await this.api.sync(this.path);
      } else if (merge.conflicts.length === 0) {
        if (!put(context.model, before, merge)) continue;
        this.taken = countChanged(before, merge.cells ?? before);
        this.news.changed();
        if (clean) await this.save();
      }
      this.seen = this.state.text;
      return;
    }
  }

  private async save(): Promise<void> {
    const { context } = this.panel;
    // Of two saves at once JupyterLab takes one for somebody else's, and asks which of them is to stay.
    while (this.saving) await new Promise(resolve => window.setTimeout(resolve, BREATH));
    if (context.isDisposed || !context.model.dirty) return;
    if (context.contentsModel?.writable === false || context.model.readOnly) this.news.cannotSave();
    else await context.save();
  }

  private show(state: TwinState): void {
    this.state = state;
    this.news.changed();
  }

  private readonly onSave = (_sender: unknown, state: string): void => {
    this.saving = state === 'started';
    if (this.saving) return;
    this.seen = null;
    this.taken = 0;
    this.look();
  };

  private readonly onPath = (): void => {
    if (this.state.twin !== null) this.api.close(this.path);
    this.path = pathOf(this.panel);
    this.look();
  };
}
