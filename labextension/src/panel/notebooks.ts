// The parts of notebooks that the panel uses; a notebook's widgets are as JupyterLab has had them since 4.0.
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { ISessionContext } from '@jupyterlab/services';
import type { ISignal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';

export interface Cell extends Widget {
  readonly model: {
    readonly id: string;
    readonly type: string;
    readonly sharedModel: { getSource(): string; setSource(source: string): void };
  };
}

export interface Notebook extends Widget {
  readonly widgets: readonly Cell[];
  readonly activeCell: Cell | null;
  activeCellIndex: number;
  mode: 'command' | 'edit';
  readonly model: {
    readonly sharedModel: {
      insertCell(index: number, cell: { cell_type: 'code'; source: string; metadata: object }): unknown;
      transact(change: () => void): void;
    };
  } | null;
  readonly modelContentChanged: ISignal<unknown, unknown>;
  scrollToItem?(index: number, align?: string): Promise<void>;
}

export interface OpenNotebook extends Widget {
  readonly content: Notebook;
  readonly sessionContext: ISessionContext;
  readonly context: {
    readonly path: string;
    readonly localPath?: string;
    readonly ready: Promise<unknown>;
    readonly pathChanged: ISignal<unknown, string>;
    readonly model: { readonly dirty: boolean };
    save(): Promise<void>;
  };
  readonly revealed: Promise<unknown>;
}

export interface Notebooks {
  readonly widgetAdded: ISignal<unknown, OpenNotebook>;
  readonly currentWidget: OpenNotebook | null;
  forEach(each: (panel: OpenNotebook) => void): void;
  find(test: (panel: OpenNotebook) => boolean): OpenNotebook | undefined;
}

/** The tracker as what it is, beyond what the renderer needs of it. */
export function notebooksOf(tracker: INotebookTracker): Notebooks {
  return tracker as unknown as Notebooks;
}

export function asNotebook(panel: NotebookPanel | Widget | undefined): OpenNotebook | null {
  return panel && 'context' in panel && 'content' in panel ? (panel as unknown as OpenNotebook) : null;
}

/** A notebook's path below the server's root, without the drive that it was opened through. */
export function pathOf(panel: OpenNotebook): string {
  return panel.context.localPath ?? panel.context.path.replace(/^[^/]*:/, '');
}

export function folderOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
}
