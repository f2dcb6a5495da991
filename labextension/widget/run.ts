// The widget that mlwidgets.views.widget.RunView mounts: traits in, the Stop button out.
import 'uplot/dist/uPlot.min.css';
import '../views/run.css';

import type { Display, Header, Output, RunData } from '../views/model.ts';
import { RunView } from '../views/runview.ts';
import { decodeSeries, type PackedSeries } from '../views/series.ts';

interface Traits {
  header: Header;
  series: PackedSeries[];
  output: Output;
  displays: Display[];
  clock: number;
}

/** The part of anywidget's model that this widget uses. */
interface Model {
  get<K extends keyof Traits>(name: K): Traits[K];
  on(event: string, callback: () => void): void;
  off(event: string, callback: () => void): void;
  send(content: unknown): void;
}

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const view = new RunView({
    onStop: () => {
      model.send({ type: 'stop' });
    },
  });
  const read = {
    header: (): Partial<RunData> => ({ header: model.get('header') }),
    series: (): Partial<RunData> => ({ series: decodeSeries(model.get('series')) }),
    output: (): Partial<RunData> => ({ output: model.get('output') }),
    displays: (): Partial<RunData> => ({ displays: model.get('displays') }),
  };
  view.update({ ...read.header(), ...read.series(), ...read.output(), ...read.displays() });
  el.append(view.node);

  const listeners: [event: string, callback: () => void][] = Object.entries(read).map(([name, part]) => [
    `change:${name}`,
    () => {
      view.update(part());
    },
  ]);
  listeners.push([
    'change:clock',
    () => {
      view.heard(model.get('clock'));
    },
  ]);
  for (const [event, callback] of listeners) model.on(event, callback);
  // Tells the kernel that somebody looks on; nothing waits for an answer.
  model.send({ type: 'shown' });

  return () => {
    for (const [event, callback] of listeners) model.off(event, callback);
    view.destroy();
  };
}

export default { render };
