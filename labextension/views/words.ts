// What runs and sweeps both speak of.

export type RunState = 'submitted' | 'running' | 'finished' | 'failed' | 'stopped' | 'killed' | 'timeout';

/** A float as JSON can carry it: what is not finite comes as its name. */
export type Num = number | 'NaN' | 'Infinity' | '-Infinity' | null;
