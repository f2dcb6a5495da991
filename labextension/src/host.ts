import type { IConsoleTracker } from '@jupyterlab/console';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { ISessionContext } from '@jupyterlab/services';
import type { ISignal } from '@lumino/signaling';

/** The notebook or the console that an output is in. */
export interface Host {
  readonly rendermime: IRenderMimeRegistry;
  readonly session: ISessionContext;
  /** Says "started" before the notebook is written; a console has none. */
  readonly saving: ISignal<unknown, string> | null;
}

export type FindHost = (node: Node) => Host | null;

export function hostFinder(notebooks: INotebookTracker | null, consoles: IConsoleTracker | null): FindHost {
  return (node) => {
    const notebook = notebooks?.find((panel) => panel.node.contains(node));
    if (notebook) {
      const { content, sessionContext, context } = notebook;
      return { rendermime: content.rendermime, session: sessionContext, saving: context.saveState };
    }
    const found = consoles?.find((panel) => panel.node.contains(node));
    return found ? { rendermime: found.console.rendermime, session: found.sessionContext, saving: null } : null;
  };
}
