// Between runs and the cells that started them.
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import type { Widget } from '@lumino/widgets';

import type { Summary } from '../../panel/model.ts';
import type { Project } from '../../panel/project.ts';
import type { Words } from '../../panel/words.ts';
import { stateIcon } from '../../views/states.ts';
import { asNotebook, folderOf, pathOf, type Notebooks, type OpenNotebook } from './notebooks.ts';

/** Follow the stores that the open notebooks use, beside the root's own. */
export function watchFolders(notebooks: Notebooks, project: Project): void {
  const start = (): void => {
    const folders: string[] = [];
    notebooks.forEach((panel) => {
      if (!panel.isDisposed) folders.push(folderOf(pathOf(panel)));
    });
    project.start(folders);
  };
  notebooks.widgetAdded.connect((_sender, panel) => {
    panel.context.pathChanged.connect(start);
    panel.disposed.connect(() => {
      panel.context.pathChanged.disconnect(start);
    });
    start();
  });
  start();
}

/** Open the notebook of a run and show the cell that started it. */
export async function goToCell(app: JupyterFrontEnd, notebooks: Notebooks, run: Summary, words: Words): Promise<void> {
  if (!run.notebook) return;
  const open = notebooks.find((one) => pathOf(one) === run.notebook);
  if (open) app.shell.activateById(open.id);
  const panel = open ?? asNotebook((await app.commands.execute('docmanager:open', { path: run.notebook })) as Widget | undefined);
  if (!panel) return;
  await panel.context.ready;
  await panel.revealed;
  const index = panel.content.widgets.findIndex(({ model }) => model.id === run.cell);
  if (index < 0) {
    Notification.emit(words.__('The cell that started %1 is no longer in %2.', run.name, run.notebook), 'info', { autoClose: 5000 });
    return;
  }
  panel.content.activeCellIndex = index;
  await panel.content.scrollToItem?.(index, 'center');
  panel.content.node.focus();
}

/** Marks each cell that started a run with the state of the last one. */
export class CellMarks {
  private readonly marks = new Map<string, HTMLButtonElement>();
  /** What each mark is of. */
  private readonly runs = new Map<string, Summary>();
  private frame = 0;

  constructor(
    private readonly panel: OpenNotebook,
    private readonly project: Project,
    private readonly words: Words,
    private readonly open: (run: Summary) => void,
  ) {
    const end = project.subscribe(() => {
      this.later();
    });
    panel.content.modelContentChanged.connect(this.later);
    panel.disposed.connect(() => {
      end();
      cancelAnimationFrame(this.frame);
    });
    void panel.revealed.then(() => {
      this.later();
    });
  }

  private readonly later = (): void => {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      if (!this.panel.isDisposed) this.update();
    });
  };

  private update(): void {
    const path = pathOf(this.panel);
    const marked = new Set<string>();
    for (const cell of this.panel.content.widgets) {
      const { id } = cell.model;
      // A copy of a notebook has the same cells, and has started nothing.
      const run = this.project.ofCell(id).find(({ notebook }) => notebook === null || notebook === path);
      if (!run) continue;
      marked.add(id);
      this.runs.set(id, run);
      let mark = this.marks.get(id);
      if (!mark) {
        mark = document.createElement('button');
        mark.type = 'button';
        this.marks.set(id, mark);
        mark.addEventListener('click', (event) => {
          event.stopPropagation();
          const shown = this.runs.get(id);
          if (shown) this.open(shown);
        });
      }
      if (mark.dataset.state !== run.state) {
        mark.dataset.state = run.state;
        mark.className = `mlw-cell-mark mlw-state-${run.state}`;
        mark.replaceChildren(stateIcon(run.state));
      }
      const label = this.words.__('Run %1: %2. Open it.', run.name, run.state);
      if (mark.title !== label) {
        mark.title = label;
        mark.setAttribute('aria-label', label);
      }
      if (mark.parentNode !== cell.node) cell.node.append(mark);
    }
    for (const [id, mark] of this.marks) {
      if (marked.has(id)) continue;
      mark.remove();
      this.marks.delete(id);
      this.runs.delete(id);
    }
  }
}
