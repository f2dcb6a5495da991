// An open notebook, as far as its text twin needs it; JupyterLab's shared models are so since 4.0.
import type { ISignal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';

import type { OpenNotebook } from '../panel/notebooks.ts';
import type { Merge, NotebookText } from './api.ts';
import { stepsOf, type CellState } from './steps.ts';

/** What is done within half a second is undone at once, unless it is told to stop at that. */
interface Undoing {
  readonly undoManager?: { stopCapturing(): void } | null;
}

export interface SharedCell extends Undoing {
  readonly cell_type: string;
  getId(): string;
  getSource(): string;
  updateSource(start: number, end: number, text: string): void;
  getMetadata(): Record<string, unknown>;
  getMetadata(key: string): unknown;
  setMetadata(metadata: object): void;
  deleteMetadata(key: string): void;
  /** Of text cells alone. */
  getAttachments?(): Record<string, unknown> | undefined;
  setAttachments?(attachments: object): void;
  transact(change: () => void): void;
}

export interface SharedNotebook extends Undoing {
  readonly cells: readonly SharedCell[];
  getMetadata(): Record<string, unknown>;
  setMetadata(metadata: object): void;
  insertCell(index: number, cell: object): unknown;
  deleteCell(index: number): void;
  moveCell(from: number, to: number): void;
  transact(change: () => void): void;
}

export interface Edited extends OpenNotebook {
  readonly content: OpenNotebook['content'] & {
    readonly model: { readonly sharedModel: SharedNotebook } | null;
    readonly activeCellChanged: ISignal<unknown, unknown>;
  };
  /** Between the toolbar and the cells. */
  readonly contentHeader: { addWidget(widget: Widget): void };
  readonly context: OpenNotebook['context'] & {
    readonly isDisposed: boolean;
    readonly disposed: ISignal<unknown, unknown>;
    readonly saveState: ISignal<unknown, string>;
    readonly contentsModel: { readonly hash?: string | null; readonly writable?: boolean } | null;
    readonly model: { readonly dirty: boolean; readonly readOnly: boolean; readonly sharedModel: SharedNotebook };
    save(): Promise<void>;
    revert(): Promise<void>;
  };
}

function stateOf(cell: SharedCell): CellState {
  return { id: cell.getId(), type: cell.cell_type, source: cell.getSource(), metadata: cell.getMetadata() };
}

/** What JupyterLab keeps there by itself, some of it twice. */
const LABS = new Set(['trusted', 'collapsed', 'jupyter']);

/** Let a cell have these metadata and no others. */
export function describe(cell: SharedCell, metadata: Readonly<Record<string, unknown>>): void {
  for (const key of Object.keys(cell.getMetadata())) if (!(key in metadata) && !LABS.has(key)) cell.deleteMetadata(key);
  cell.setMetadata(metadata);
}

/** What is open, saved or not; outputs stay here. */
export function textOf({ sharedModel }: Edited['context']['model']): NotebookText & { readonly cells: readonly object[] } {
  const cells = sharedModel.cells.map((cell) => {
    const { id, type, source, metadata } = stateOf(cell);
    return { id, cell_type: type, source, metadata, ...(type === 'code' ? { outputs: [], execution_count: null } : {}) };
  });
  return { cells, metadata: sharedModel.getMetadata(), nbformat: 4, nbformat_minor: 5 };
}

/** The same as it can be compared with what is open later. */
export function statesOf({ sharedModel }: Edited['context']['model']): CellState[] {
  return sharedModel.cells.map(stateOf);
}

/**
 * Make the open cells what they become. False where somebody has written in one of them since they were looked at: then
 * nothing is done.
 */
export function put({ sharedModel }: Edited['context']['model'], before: readonly CellState[], merge: Merge): boolean {
  const now = statesOf({ sharedModel } as Edited['context']['model']);
  if (now.length !== before.length || now.some(({ id, type, source }, index) => id !== before[index]?.id || type !== before[index].type || source !== before[index].source)) return false;
  sharedModel.transact(() => {
    if (merge.metadata) sharedModel.setMetadata(merge.metadata);
    for (const step of stepsOf(now, merge.cells ?? now)) {
      if (step.do === 'insert') {
        const { id, type, source, metadata } = step.cell;
        // What has no output yet is as good as written here.
        sharedModel.insertCell(step.at, { id, cell_type: type, source, metadata: { ...metadata, ...(type === 'code' ? { trusted: true } : {}) } });
      } else if (step.do === 'delete') sharedModel.deleteCell(step.at);
      else if (step.do === 'move') sharedModel.moveCell(step.from, step.to);
      else if (step.do === 'write') sharedModel.cells[step.at]?.updateSource(step.start, step.end, step.text);
      else {
        const cell = sharedModel.cells[step.at];
        if (cell) describe(cell, step.metadata);
      }
    }
  });
  return true;
}

/** How many cells are not what they were. */
export function countChanged(before: readonly CellState[], then: readonly CellState[]): number {
  const old = new Map(before.map((cell) => [cell.id, cell]));
  const kept = then.filter(({ id }) => old.has(id)).length;
  const edited = then.filter(({ id, source, type }) => old.has(id) && (old.get(id)?.source !== source || old.get(id)?.type !== type)).length;
  return before.length - kept + (then.length - kept) + edited;
}

/** Take what lies on the disk, and stay where one is. */
export async function reload(panel: Edited): Promise<void> {
  const { content, context } = panel;
  const outer = (): Element => content.node.querySelector('.jp-WindowedPanel-outer') ?? content.node;
  const top = outer().scrollTop;
  const { activeCellIndex: index, mode } = content;
  const id = content.activeCell?.model.id;
  await context.revert();
  const found = content.widgets.findIndex(({ model }) => model.id === id);
  content.activeCellIndex = Math.min(found < 0 ? index : found, content.widgets.length - 1);
  content.mode = mode;
  await new Promise(requestAnimationFrame);
  outer().scrollTop = top;
}
