// More points for the stretch that the reader has zoomed to.
import { toTimes, type Axis } from './axis.ts';
import type { RunSource, Series } from './model.ts';
import type { Range } from './scales.ts';

/** Milliseconds between two questions while a live run grows inside the stretch. */
const PAUSE = 1000;

/** Asks the kernel for what lies between two places of the x axis. Without an answer the chart stays as it is. */
export class Refiner {
  private readonly found = new Map<string, Series>();
  private key = '';
  private askedAt = 0;

  constructor(
    private readonly source: RunSource,
    private readonly refined: () => void,
  ) {}

  /** A series with all the points that are known of the stretch. */
  of(run: string, series: Series, zoom: Range | null): Series {
    return (zoom && this.found.get(`${run} ${series.name}`)) ?? series;
  }

  look(axis: Axis, zoom: Range | null): void {
    const key = zoom ? `${axis} ${zoom.join(' ')}` : '';
    const anew = key !== this.key;
    if (anew) {
      this.key = key;
      this.found.clear();
    }
    const { source } = this;
    if (!zoom || !source.ask || (!anew && Date.now() - this.askedAt < PAUSE)) return;
    this.askedAt = Date.now();
    for (const run of source.runs) {
      if (!run.series.some((one) => one.n > one.values.length)) continue;
      const [from, until] = axis === 'step' ? zoom : toTimes(run, axis, zoom[0], zoom[1]);
      const { id } = run.header;
      source.ask({ type: 'range', run: id, axis: axis === 'step' ? 'step' : 'time', from, until }).then(
        ({ series = [] }) => {
          if (key !== this.key) return;
          for (const one of series) this.found.set(`${id} ${one.name}`, one);
          this.refined();
        },
        () => undefined,
      );
    }
  }
}
