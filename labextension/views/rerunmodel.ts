// What is said between whoever looks at a run that is done again and whoever does it.

/** What a run that does another one again says of it. */
export interface RerunOf {
  /** Id of that one. */
  readonly of: string;
  readonly name: string;
  /** Name, what it was, what it is. */
  readonly changed: readonly (readonly [string, string | null, string | null])[];
  /** Once both have ended. */
  readonly verdict: Verdict | null;
}

export interface Verdict {
  /** The same to the bit, or not; null where nothing had to be the same. */
  readonly equal: boolean | null;
  /** In two to five words. */
  readonly chip: string;
  readonly summary: string;
  readonly details?: readonly string[];
}

/** What doing a run again takes. */
export interface RerunPlan {
  readonly kind: 'run' | 'sweep' | 'report';
  readonly params: Readonly<Record<string, string>>;
  readonly problems: readonly string[];
  /** Whether one may go on in spite of the problems. */
  readonly forcible: boolean;
  readonly differences: readonly string[];
  /** After what it could go on instead, such as "epoch 8". */
  readonly resumes?: string | null;
  /** What is other for a run that does; an interpreter of before there were such says nothing of it. */
  readonly resume_differences?: readonly string[];
  /** Whether a run that goes on may have nothing left to do. */
  readonly finished?: boolean;
}

export interface RerunAsked {
  readonly params?: Readonly<Record<string, string>>;
  readonly force?: boolean;
  /** Publish the new edition of a report. */
  readonly publish?: boolean;
  /** Go on from its last checkpoint. */
  readonly resume?: boolean;
}

/** What was started: the new run's id, and whether it goes on from a checkpoint. */
export interface RerunStarted {
  readonly run: string;
  readonly resumes: boolean;
}

export interface RerunRefused {
  readonly problems: readonly string[];
  readonly forcible: boolean;
}

/** Whoever can do runs again: the kernel, or a server. */
export interface Rerunner {
  readonly look: (run: string) => Promise<RerunPlan>;
  /** Resolves to the new run's id, or to what is in the way. */
  readonly start: (run: string, asked: RerunAsked) => Promise<string | RerunRefused>;
  /** Show the new run beside the one that this view is of. */
  readonly beside?: (run: string) => Promise<unknown>;
}
