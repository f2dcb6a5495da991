// "Train this cell": the form that puts `%%train` on top.
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';

import { askFor } from '../../panel/dialog.ts';
import type { Words } from '../../panel/words.ts';
import type { OpenNotebook } from './notebooks.ts';
import { isSweep, readTrainLine, writeTrainLine, wrongGpus, wrongName, wrongParams } from './trainline.ts';

const LOAD = '%load_ext mlwidgets';
const LOADS = /^\s*%(?:load|reload)_ext\s+mlwidgets\b/m;

export async function trainCell(app: JupyterFrontEnd, panel: OpenNotebook, words: Words): Promise<void> {
  const notebook = panel.content;
  const cell = notebook.activeCell;
  if (cell?.model.type !== 'code' || !notebook.model) return;
  const { sharedModel } = cell.model;
  if (isSweep(sharedModel.getSource())) {
    Notification.emit(words.__('This cell is a sweep: run it, and each of its trials is a tracked run.'), 'info', { autoClose: 5000 });
    return;
  }
  const line = readTrainLine(sharedModel.getSource()) ?? { name: '', gpus: '', params: '', rest: '' };
  const said = (check: (value: string) => string | null) => (value: string): string | null => {
    const wrong = check(value);
    return wrong === null ? null : words.__(wrong);
  };
  const given = await askFor(
    words.__('Train this cell'),
    [
      { name: 'name', label: words.__('Name'), value: line.name, placeholder: 'lenet', hint: words.__('The run is bound to this name.'), check: said(wrongName) },
      { name: 'gpus', label: words.__('GPUs'), value: line.gpus, placeholder: 'auto', hint: words.__('A number or a share such as 0.5; empty: one where the machine has any and the code uses them.'), check: said(wrongGpus) },
      { name: 'params', label: words.__('Parameters'), value: line.params, placeholder: 'lr=1e-3 epochs=10', hint: words.__('They replace or add variables that the cell reads.'), check: said(wrongParams) },
    ],
    { accept: words.__('Add to cell'), cancel: words.__('Cancel') },
  );
  if (!given || cell.isDisposed) return;
  sharedModel.setSource(writeTrainLine(sharedModel.getSource(), { ...line, name: given.name ?? '', gpus: given.gpus ?? '', params: given.params ?? '' }));
  if (!notebook.widgets.some(({ model }) => model.type === 'code' && LOADS.test(model.sharedModel.getSource()))) {
    await loadExtension(app, panel);
  }
  notebook.activeCellIndex = notebook.widgets.indexOf(cell);
  notebook.mode = 'command';
  notebook.node.focus();
}

/** Put a cell that loads the extension on top of the notebook, and run it as the user would. */
async function loadExtension(app: JupyterFrontEnd, panel: OpenNotebook): Promise<void> {
  const notebook = panel.content;
  notebook.model?.sharedModel.insertCell(0, { cell_type: 'code', source: LOAD, metadata: { trusted: true } });
  const first = notebook.widgets[0];
  if (first?.model.sharedModel.getSource() !== LOAD) return;
  notebook.activeCellIndex = 0;
  if (panel.sessionContext.session?.kernel) await app.commands.execute('notebook:run-cell');
}
