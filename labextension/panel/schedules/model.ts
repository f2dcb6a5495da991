// What the server tells of a project's schedules: see docs/schedules.md. Times in Unix seconds.

export type Kind = 'report' | 'run' | 'sweep';
export type FiringState = 'claimed' | 'started' | 'waiting' | 'finished' | 'failed' | 'skipped' | 'missed';

export interface Time {
  readonly at: number;
  /** In the schedule's zone. */
  readonly text: string;
}

/** One start that a schedule asks for, and what became of it. */
export interface Firing {
  readonly id: number;
  readonly schedule: string;
  readonly name: string;
  readonly due: number;
  readonly text: string;
  readonly state: FiringState;
  readonly trigger: 'time' | 'after' | 'changed' | 'hand';
  readonly params: Readonly<Record<string, string>>;
  readonly element: number;
  readonly attempt: number;
  readonly run: string | null;
  readonly claimed: number;
  readonly started: number | null;
  readonly ended: number | null;
  readonly seconds: number | null;
  readonly reason: string | null;
  readonly retry_at: number | null;
  /** Earlier due times that nobody was there for. */
  readonly missed: number;
  /** The page of its edition, from the server's base. */
  readonly address: string | null;
}

export interface Took {
  readonly id: number;
  readonly due: number;
  readonly state: 'finished' | 'failed';
  readonly seconds: number;
}

export interface ScheduledReport {
  readonly name: string;
  /** From the server's base. */
  readonly address: string;
  readonly editions: string;
  readonly params: Readonly<Record<string, string>>;
  /** Whether there is a page. */
  readonly published: boolean;
}

export type Targets = string | readonly string[];
export type Notify = Targets | Readonly<Record<string, Targets>> | null;

/** What can be given and changed. */
export interface Editable {
  readonly name: string;
  readonly cron: string | null;
  readonly timezone: string;
  readonly params: Readonly<Record<string, string>>;
  readonly matrix: readonly Readonly<Record<string, string>>[];
  readonly missed: 'once' | 'record';
  readonly overlap: boolean;
  readonly jitter: number;
  readonly until: number | string | null;
  readonly retries: number;
  readonly retry_wait: number;
  readonly after: string | null;
  readonly when_changed: readonly string[];
  readonly source: string;
  readonly notify: Notify;
}

/** A schedule as the server lists it. */
export interface Schedule extends Editable {
  readonly id: string;
  readonly kind: Kind;
  /** From the server's root; null where it does not lie below. */
  readonly notebook: string | null;
  /** Id of the run that is repeated. */
  readonly run: string | null;
  readonly words: string;
  readonly next: number | null;
  readonly times: readonly Time[];
  readonly enabled: boolean;
  readonly last: Firing | null;
  readonly running: readonly Firing[];
  readonly durations: readonly Took[];
  readonly reports: readonly ScheduledReport[];
  readonly until: number | null;
}

/** The schedule with the key of its store. */
export type Kept = Schedule & { readonly store: string };

export type Given = Partial<Editable> & { readonly kind?: Kind; readonly notebook?: string; readonly run?: string };

export interface Listed {
  readonly store: string;
  readonly now: number;
  /** The server's. */
  readonly timezone: string;
  readonly can: { readonly change: boolean; readonly notebooks: boolean; readonly commands: boolean };
  /** Whether this server looks after them. */
  readonly ticking: boolean;
  /** When anybody did last. */
  readonly last_tick: number | null;
  readonly schedules: readonly Schedule[];
}

export interface Preview {
  readonly words: string;
  readonly times: readonly Time[];
}

/** Due times at which nobody was there. */
export interface Missed {
  readonly schedule: string;
  readonly name: string;
  readonly first: number;
  readonly last: number;
  readonly count: number;
  /** The first, in the schedule's zone. */
  readonly since: string;
  /** Null where they are overdue now. */
  readonly found: number | null;
  /** The run that was started once for all of them. */
  readonly run: string | null;
}

/** What a run, a report or a schedule left for the browser. */
export interface Notice {
  readonly number: number;
  readonly at: number;
  readonly key: string;
  readonly state: string;
  readonly subject: string;
  readonly text: string;
  readonly name: string;
  readonly cause: string | null;
  readonly address: string | null;
}

/** What a notebook can be given. */
export interface Param {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly shown: string;
}
