import { Screen, type Span } from './ansi.ts';

/** Lines that stay in memory; earlier ones are asked for when somebody scrolls to them. */
const KEPT_LINES = 4000;

/** What a source says of the output: its end first, then what is added. */
export interface OutputChange {
  /** The end of it, instead of what was known. */
  readonly text?: string;
  /** Number of the line with which `text` begins. */
  readonly first?: number;
  /** Earlier output exists. */
  readonly cut?: boolean;
  readonly add?: string;
}

/** The output of a run as a terminal shows it, by line numbers. */
export class Terminal {
  /** Rises with each change. */
  version = 0;
  /** Rises when everything is new, as after clear_output. */
  generation = 0;
  cut = false;
  private screen = new Screen(KEPT_LINES);
  private begin = 0;

  constructor(change?: OutputChange) {
    if (change) this.apply(change);
  }

  apply(change: OutputChange): void {
    this.version += 1;
    if (change.text !== undefined) {
      this.screen = new Screen(KEPT_LINES);
      this.begin = change.first ?? 0;
      this.cut = change.cut ?? false;
      this.generation += 1;
      this.screen.write(change.text);
    }
    if (change.add) this.screen.write(change.add);
  }

  /** Number of the first line in memory. */
  get first(): number {
    return this.begin + this.screen.dropped;
  }

  /** One more than the number of the last line. */
  get end(): number {
    return this.first + this.screen.length - (this.screen.open ? 1 : 0);
  }

  /** A line in memory. */
  line(number: number): Span[] {
    return this.screen.spans(number - this.first);
  }
}
