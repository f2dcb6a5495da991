// Between an open notebook and the view of its changes.
import type { ISignal } from '@lumino/signaling';

import type { CellChange } from '../../views/changes/model.ts';
import { pathOf, type Notebooks, type OpenNotebook } from '../panel/notebooks.ts';
import { hold } from './hold.ts';

/** What of a notebook the view needs beside what the panel needs. */
interface Edited extends OpenNotebook {
  readonly context: OpenNotebook['context'] & {
    readonly saveState: ISignal<unknown, string>;
    readonly model: { readonly dirty: boolean; readonly contentChanged: ISignal<unknown, unknown>; toJSON(): NotebookJson };
    save(): Promise<void>;
    revert(): Promise<void>;
  };
}

interface NotebookJson {
  readonly cells: readonly { readonly cell_type: string; readonly outputs?: unknown }[];
}

/** Milliseconds without an edit after which the last ones are shown. */
const QUIET = 500;

/** The notebook of that path while it is open, and its news. */
export class Followed {
  private panel: Edited | null = null;
  private timer = 0;

  constructor(
    private readonly notebooks: Notebooks,
    public path: string,
    private readonly news: { saved(): void; edited(): void; renamed(path: string): void },
  ) {
    notebooks.widgetAdded.connect(this.look);
    this.look();
  }

  dispose(): void {
    this.notebooks.widgetAdded.disconnect(this.look);
    this.let();
  }

  /** The notebook's JSON where the file says something else. Outputs are left out where nobody asks for them. */
  unsaved(outputs: boolean): unknown {
    const model = this.panel?.context.model;
    if (!model?.dirty) return null;
    const notebook = model.toJSON();
    return outputs ? notebook : { ...notebook, cells: notebook.cells.map((cell) => (cell.outputs ? { ...cell, outputs: [] } : cell)) };
  }

  get open(): OpenNotebook | null {
    return this.panel;
  }

  /** Whether something is in it that is in no file. */
  get dirty(): boolean {
    return this.panel?.context.model.dirty ?? false;
  }

  /** Let nobody edit it, in whichever tabs it is open, until the work is done. */
  hold<T>(said: string, work: () => Promise<T>): Promise<T> {
    const nodes: HTMLElement[] = [];
    this.notebooks.forEach((panel) => {
      if (panel.context === this.panel?.context) nodes.push(panel.node);
    });
    return hold(nodes, said, work);
  }

  /** Write what was edited, so that nothing of it is lost. */
  async save(): Promise<void> {
    const { context } = this.panel ?? {};
    if (context?.model.dirty) await context.save();
  }

  /** Take what lies on the disk. */
  async reload(): Promise<void> {
    await this.panel?.context.revert();
  }

  /** Show a cell in the notebook; false where it is not in it. */
  async goTo(cell: CellChange): Promise<boolean> {
    const { content } = this.panel ?? {};
    if (!content || !cell.new) return false;
    const { id, index: place } = cell.new;
    const found = content.widgets.findIndex(({ model }) => model.id === id);
    const index = found < 0 && id === null ? place : found;
    if (index < 0 || index >= content.widgets.length) return false;
    content.activeCellIndex = index;
    await content.scrollToItem?.(index, 'center');
    return true;
  }

  private readonly look = (): void => {
    if (this.panel) return;
    const found = this.notebooks.find((panel) => !panel.isDisposed && pathOf(panel) === this.path) as Edited | undefined;
    if (!found) return;
    this.panel = found;
    const { context } = found;
    context.saveState.connect(this.onSave);
    context.pathChanged.connect(this.onPath);
    found.disposed.connect(this.onClosed);
    void context.ready.then(() => {
      if (this.panel !== found || found.isDisposed) return;
      context.model.contentChanged.connect(this.onEdit);
      this.news.edited();
    });
  };

  private readonly let = (): void => {
    window.clearTimeout(this.timer);
    const { panel } = this;
    this.panel = null;
    if (!panel || panel.isDisposed) return;
    panel.context.saveState.disconnect(this.onSave);
    panel.context.pathChanged.disconnect(this.onPath);
    panel.context.model.contentChanged.disconnect(this.onEdit);
    panel.disposed.disconnect(this.onClosed);
  };

  /** It may be open elsewhere; if not, the file is what there is. */
  private readonly onClosed = (): void => {
    this.let();
    this.look();
    this.news.edited();
  };

  private readonly onSave = (_sender: unknown, state: string): void => {
    if (state === 'completed') this.news.saved();
  };

  private readonly onPath = (): void => {
    if (!this.panel) return;
    this.path = pathOf(this.panel);
    this.news.renamed(this.path);
  };

  private readonly onEdit = (): void => {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => { this.news.edited(); }, QUIET);
  };
}
