// What mounts the view of a run anywhere: a widget, JupyterLab's MIME renderer, a panel.
import 'uplot/dist/uPlot.min.css';
import './run.css';
import './charts.css';
import './details.css';
import './sweep/sweep.css';
import './changes/changes.css';
import './rerun.css';

import type { RunSource } from './model.ts';
import { RunView } from './runview.ts';

export { readBundle, RUN_MIME, type SavedRun } from './bundle.ts';
export { DISPLAY_EVENT, type Drawn, type Offer } from './hosted.ts';
export type { Display, RunData, RunSource } from './model.ts';

/**
 * Draw `source` into `element` and keep it up to date; returns what takes it away again.
 *
 * @param trusted - Whether what the runs displayed may run scripts in this page: where its user executed them, or trusts
 * the notebook that shows them.
 */
export function mountRun(element: HTMLElement, source: RunSource, trusted = false): () => void {
  const view = new RunView(source, trusted);
  element.append(view.node);
  return () => {
    view.destroy();
  };
}
