// Runs done again through the server, and what came of them, which is known a moment after they have ended.
import type { Rerunner, RerunRefused } from '../views/rerunmodel.ts';
import { askForRerun, type RerunWish } from '../views/rerundialog.ts';
import { Refused, type Api } from './api.ts';
import { keyOf, type Summary } from './model.ts';
import type { Words } from './words.ts';

/** The part of a project that this takes. */
interface Started {
  readonly api: Pick<Api, 'rerun' | 'rerunPlan'>;
  add(run: Summary): void;
}

/** Milliseconds before each further look for a verdict. */
const LOOKS = [1000, 2000, 5000, 5000, 10_000, 10_000, 15_000, 30_000, 60_000];

/** Does runs of one store again. */
export function rerunner(project: Started, store: string): Rerunner {
  return {
    look: (id) => project.api.rerunPlan({ store, id }),
    start: async (id, asked) => {
      try {
        const run = await project.api.rerun({ store, id }, asked);
        project.add(run);
        return run.id;
      } catch (error) {
        const refused = error instanceof Refused ? (error.content as Partial<RerunRefused> | null) : null;
        if (!refused?.problems) throw error;
        return { problems: refused.problems, forcible: refused.forcible ?? false };
      }
    },
  };
}

/** Ask how a run is to be done again or to go on, and start it; null where the user does not want to. */
export async function rerun(project: Started, run: Summary, wish: RerunWish, words: Words): Promise<{ store: string; id: string; resumes: boolean } | null> {
  const { look, start } = rerunner(project, run.store);
  const started = await askForRerun(
    wish,
    run.name,
    () => look(run.id),
    (asked) => start(run.id, asked),
    (text, ...values) => words.__(text, ...values),
  );
  return started && { store: run.store, id: started.run, resumes: started.resumes };
}

/** Asks for runs anew that have ended and whose verdict nobody has told of yet. */
export class AwaitedVerdicts {
  private readonly looks = new Map<string, number>();
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(private readonly refresh: (store: string, id: string) => Promise<void>) {}

  await(run: Summary): void {
    const key = keyOf(run);
    const looks = this.looks.get(key) ?? 0;
    const pause = LOOKS[looks];
    if (pause === undefined || this.timers.has(key)) return;
    this.looks.set(key, looks + 1);
    const look = (): void => {
      this.timers.delete(key);
      // Whoever has lost the server asks for all runs anew.
      this.refresh(run.store, run.id).catch(() => undefined);
    };
    this.timers.set(key, setTimeout(look, pause));
  }

  dispose(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
  }
}
