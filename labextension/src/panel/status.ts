import type { JupyterFrontEnd } from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { setText } from '../../views/dom.ts';
import { sharedProject } from './shared.ts';
import { wordsOf } from './translation.ts';

export const status = {
  id: 'mlwidgets:status',
  description: 'How many runs go on and wait, in the status bar.',
  autoStart: true,
  optional: [IStatusBar, ITranslator],
  activate: (app: JupyterFrontEnd, bar: IStatusBar | null, translator: ITranslator | null): void => {
    // Notebook 7 has none.
    if (!bar) return;
    const words = wordsOf(translator);
    const project = sharedProject(app);
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'mlw-status';
    button.title = words.__('Show runs');
    button.addEventListener('click', () => {
      void app.commands.execute('mlwidgets:open-panel');
    });
    const item = new Widget();
    item.node.append(button);
    const update = (): void => {
      const { running, waiting } = project.counts();
      const parts = [running ? words.__('%1 running', running) : '', waiting ? words.__('%1 waiting', waiting) : ''];
      setText(button, parts.filter(Boolean).join(' · '));
      button.hidden = !running && !waiting;
      button.classList.toggle('mlw-offline', project.status === 'offline');
    };
    let timer = 0;
    project.subscribe(() => {
      timer ||= window.setTimeout(() => {
        timer = 0;
        update();
      }, 100);
    });
    update();
    bar.registerStatusItem('mlwidgets:status', { item, align: 'left', rank: 4 });
  },
};
