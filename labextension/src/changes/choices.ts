// What a notebook can be compared with, as a reader chooses it.
import type { Words } from '../../panel/words.ts';
import { ago } from '../../views/changes/said.ts';
import type { History, Snapshot } from './api.ts';

export interface Choice {
  /** As the server takes it. */
  readonly value: string;
  readonly label: string;
}

export interface Group {
  /** Empty for what stands on top. */
  readonly label: string;
  readonly choices: readonly Choice[];
}

/** A run that was submitted from the notebook. */
export interface SubmittedRun {
  readonly id: string;
  readonly name: string;
  readonly submitted: number;
}

/** Of each group at most. */
const MOST = 50;

/** The notebook as it is, edits that nobody has saved included. */
export const NOW = 'now';

/** All that there is to choose from, groups with nothing in them left out. */
export function choicesOf(history: History, runs: readonly SubmittedRun[], now: number, words: Words): Group[] {
  const { snapshots, commits } = history;
  const [commit] = commits;
  const saves = snapshots.filter(({ kind }) => kind === 'save');
  const top: Choice[] = [];
  if (commit) top.push({ value: 'commit', label: words.__('Last commit %1, %2', commit.id, ago(commit.time, now)) });
  if (saves[0]) top.push({ value: 'save', label: words.__('Last save, %1', ago(saves[0].time, now)) });
  if (snapshots.length > 1) top.push({ value: 'save-before', label: words.__('The save before') });
  const named = snapshots.filter(({ names }) => names.length);
  const groups: Group[] = [
    { label: '', choices: top },
    { label: words.__('Named'), choices: named.map((one) => snapshotChoice(one, one.names.join(', '), now)) },
    {
      label: words.__('Earlier'),
      choices: snapshots.filter((one) => !one.names.length && one !== saves[0]).map((one) => snapshotChoice(one, kindWords(one, words), now)),
    },
    {
      label: words.__('Commits'),
      choices: commits.slice(1).map(({ id, time, subject }) => ({ value: `commit:${id}`, label: `${id} ${subject}, ${ago(time, now)}` })),
    },
    {
      label: words.__('Runs'),
      choices: runs.map(({ id, name, submitted }) => ({ value: `run:${id}`, label: `${name}, ${ago(submitted, now)}` })),
    },
  ];
  return groups.map(({ label, choices }) => ({ label, choices: choices.slice(0, MOST) })).filter(({ choices }) => choices.length);
}

/** What is compared with at first: the last commit; of a notebook in no commit the last save; nothing where there is neither. */
export function firstChoice({ commits, snapshots }: History): string | null {
  return commits.length ? 'commit' : snapshots.length ? 'save' : null;
}

/** "saved", "sent off as run lenet", "kept before a restore". */
export function kindWords({ kind, run_name: run }: Snapshot, words: Words): string {
  if (kind === 'submit') return words.__('sent off as run %1', run ?? '');
  if (kind === 'twin') return words.__('kept before text came');
  return kind === 'kept' ? words.__('kept before a restore') : words.__('saved');
}

function snapshotChoice({ id, time }: Snapshot, called: string, now: number): Choice {
  return { value: `snapshot:${id}`, label: `${called}, ${ago(time, now)}` };
}
