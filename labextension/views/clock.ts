// What changes by time alone: elapsed, remaining, and whether anybody still speaks.
import { formatElapsed, formatTook } from './format.ts';
import { hasEnded, type Header, type Progress } from './model.ts';

/** Seconds without a word from the kernel after which it counts as gone. */
const SILENCE = 12;

/** The time as those see it who feed the view. */
export class Clock {
  /** Seconds that their clock is ahead of this one. */
  private skew = 0;
  private heardAt: number | null = null;
  private last: number | undefined;

  /** They were heard at their time `clock` (Unix seconds). */
  heard(clock: number | undefined): void {
    if (clock === undefined || clock === this.last) return;
    this.last = clock;
    this.skew = clock - Date.now() / 1000;
    this.heardAt = Date.now();
  }

  get silent(): boolean {
    return this.heardAt !== null && Date.now() - this.heardAt > SILENCE * 1000;
  }

  /** Unix seconds; it stands still when nobody speaks any more. */
  get now(): number {
    return (this.silent && this.heardAt !== null ? this.heardAt : Date.now()) / 1000 + this.skew;
  }

  elapsed(header: Header): string {
    const from = header.started ?? header.submitted;
    return hasEnded(header.state) ? formatTook((header.ended ?? this.now) - from) : formatElapsed(this.now - from);
  }

  /** "4:10 left"; nothing where nobody can tell. */
  remaining(header: Header, progress: Progress | null): string {
    if (hasEnded(header.state) || progress?.remaining == null) return '';
    const left = progress.remaining - (this.now - progress.at);
    // What takes longer than it should is not almost done for ever.
    return progress.fraction >= 1 || left < (progress.remaining > 5 ? 1 : -2) ? '' : `${formatElapsed(Math.max(0, left))} left`;
  }
}
