// The form in which a reader changes parameters, sees what is in the way, and starts a run again.
import { button, element, setText } from './dom.ts';
import type { RerunAsked, RerunPlan, RerunRefused, RerunStarted } from './rerunmodel.ts';

/** Translates: `%1` stands for the first value. */
type Translate = (text: string, ...values: (string | number)[]) => string;

const ENGLISH: Translate = (text, ...values) => text.replace(/%(\d)/g, (whole, digit: string) => String(values[Number(digit) - 1] ?? whole));

/** What the user wants: the same again, or the rest of what was cut short. */
export type RerunWish = 'rerun' | 'resume';

/**
 * Ask with what parameters a run is to be done again or to go on, and start it. Resolves to null where the user does not
 * want to.
 */
export function askForRerun(
  wish: RerunWish,
  name: string,
  look: () => Promise<RerunPlan>,
  start: (asked: RerunAsked) => Promise<string | RerunRefused>,
  translate: Translate = ENGLISH,
): Promise<RerunStarted | null> {
  return new Promise((resolve) => {
    const form = new RerunForm(wish, name, start, translate, resolve);
    document.body.append(form.node);
    form.node.showModal();
    look().then(
      (plan) => {
        form.show(plan);
      },
      (error: unknown) => {
        form.fail(error);
      },
    );
  });
}

class RerunForm {
  readonly node: HTMLDialogElement;
  private readonly rows = element('div', 'mlw-rerun-rows');
  private readonly problems = element('div', 'mlw-rerun-problems', { role: 'alert', hidden: '' });
  private readonly differences = element('div', 'mlw-rerun-differences', { hidden: '' });
  private readonly said = element('p', 'mlw-rerun-said', { role: 'status' });
  private readonly accept: HTMLButtonElement;
  private inputs: { readonly name: string; readonly before: string; readonly input: HTMLInputElement }[] = [];
  private publish: HTMLInputElement | null = null;
  private resume: HTMLInputElement | null = null;
  private plan: RerunPlan | null = null;
  private force = false;
  private refused = false;
  private started: RerunStarted | null = null;

  constructor(
    private readonly wish: RerunWish,
    name: string,
    private readonly start: (asked: RerunAsked) => Promise<string | RerunRefused>,
    private readonly translate: Translate,
    done: (started: RerunStarted | null) => void,
  ) {
    const title = wish === 'resume' ? translate('Resume %1', name) : translate('Rerun %1', name);
    this.node = element('dialog', 'mlw-rerun-dialog', { 'aria-label': title, 'data-lm-suppress-shortcuts': 'true' });
    this.accept = element('button', 'mlw-button mlw-primary', { type: 'submit', disabled: '' }, this.verb());
    const cancel = button(translate('Cancel'), 'mlw-button', () => {
      this.node.close();
    });
    const form = element('form', '', { method: 'dialog' }, element('h2', 'mlw-rerun-title', {}, title));
    form.append(this.rows, this.differences, this.problems, this.said, element('div', 'mlw-rerun-buttons', {}, cancel, this.accept));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.submit();
    });
    form.addEventListener('input', () => {
      // What was in the way of other parameters may not be in the way of these.
      if (this.refused && this.plan) this.showProblems(this.plan);
      this.say();
    });
    this.node.addEventListener('keydown', (event) => {
      event.stopPropagation();
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    this.node.addEventListener('close', () => {
      this.node.remove();
      done(this.started);
    });
    this.node.append(form);
    setText(this.said, translate('Looking at what it needs…'));
  }

  show(found: RerunPlan): void {
    const { translate } = this;
    const lost = this.wish === 'resume' && !found.resumes ? [translate('It has no checkpoint any more: Rerun begins anew')] : [];
    const plan = { ...found, problems: [...lost, ...found.problems], forcible: found.forcible && !lost.length };
    this.plan = plan;
    this.inputs = Object.entries(plan.params).map(([name, before]) => {
      const input = element('input', 'mlw-rerun-field', { type: 'text', autocomplete: 'off', spellcheck: 'false', name });
      input.value = before;
      return { name, before, input };
    });
    const rows = this.inputs.map(({ name, input }) => element('label', 'mlw-rerun-row', {}, element('span', 'mlw-rerun-param', {}, name), input));
    this.rows.replaceChildren(...rows);
    if (plan.kind === 'report') {
      this.publish = element('input', '', { type: 'checkbox' });
      this.rows.append(element('label', 'mlw-rerun-tick', {}, this.publish, translate('Publish it as a new edition')));
    }
    if (plan.resumes && this.wish === 'rerun') {
      this.resume = element('input', '', { type: 'checkbox' });
      const label = translate('Resume after %1, its last checkpoint', plan.resumes);
      this.rows.append(element('label', 'mlw-rerun-tick', {}, this.resume, label));
    }
    this.showProblems(plan);
    this.say();
    (this.accept.disabled ? this.inputs[0]?.input ?? this.node.querySelector('button') : this.inputs[0]?.input ?? this.accept)?.focus();
  }

  /** Whether it is to go on from its last checkpoint. */
  private goesOn(): boolean {
    return this.wish === 'resume' || this.resume?.checked === true;
  }

  private verb(): string {
    return this.wish === 'resume' ? this.translate('Resume') : this.translate('Start');
  }

  fail(error: unknown): void {
    setText(this.said, '');
    const offline = error instanceof TypeError;
    const why = offline ? this.translate('The server does not answer.') : error instanceof Error ? error.message : String(error);
    this.showList(this.problems, '', [why]);
  }

  private changed(): Record<string, string> {
    return Object.fromEntries(this.inputs.filter(({ before, input }) => input.value !== before).map(({ name, input }) => [name, input.value]));
  }

  /** Whether some whole number is larger now, as of epochs. */
  private grows(): boolean {
    const whole = (text: string): number => (/^\s*-?\d[\d_]*\s*$/.test(text) ? Number(text.replaceAll('_', '')) : NaN);
    return this.inputs.some(({ before, input }) => whole(input.value) > whole(before));
  }

  private showProblems({ problems, forcible }: RerunRefused): void {
    const { translate } = this;
    this.refused = false;
    this.force = problems.length > 0 && forcible;
    this.accept.disabled = problems.length > 0 && !forcible;
    const verb = this.wish === 'resume' ? translate('Resume all the same') : translate('Start all the same');
    setText(this.accept, this.force ? verb : this.verb());
    const never = this.wish === 'resume' ? translate('It cannot go on') : translate('It cannot be run again');
    const heading = forcible ? translate('It may fail, or not be the same run') : never;
    this.showList(this.problems, heading, problems);
  }

  private showList(node: HTMLElement, heading: string, lines: readonly string[]): void {
    node.hidden = !lines.length;
    const list = element('ul', '', {}, ...lines.map((line) => element('li', '', {}, line)));
    node.replaceChildren(...(heading ? [element('h3', '', {}, heading)] : []), list);
  }

  /** Say what will be compared. */
  private say(): void {
    const { translate, plan } = this;
    if (!plan) return;
    const names = Object.keys(this.changed());
    for (const { before, input } of this.inputs) input.classList.toggle('mlw-rerun-other', input.value !== before);
    const goesOn = this.goesOn();
    this.showList(this.differences, translate('Other than it was then'), (goesOn ? plan.resume_differences : null) ?? plan.differences);
    if (goesOn) {
      const after = plan.resumes ?? '';
      const words = translate('A new run goes on after %1; its curves begin with those of this one.', after);
      const nothing = plan.finished && !this.grows() ? translate('It has finished: its code may find nothing left to do, unless it is given more epochs.') : '';
      setText(this.said, this.accept.disabled ? '' : [words, nothing].filter(Boolean).join(' '));
      return;
    }
    const same = {
      run: translate('As it was: each metric is compared to the last bit.'),
      sweep: translate('As it was: each trial gets the parameters that it had and is compared to the last bit.'),
      report: translate('As it was: metrics and outputs are compared.'),
    }[plan.kind];
    const anew = plan.kind === 'sweep' ? translate('With another %1 it searches anew.', names.join(', ')) : translate('With another %1: values are compared, not bits.', names.join(', '));
    setText(this.said, this.accept.disabled ? '' : names.length ? anew : same);
  }

  private async submit(): Promise<void> {
    if (this.accept.disabled || !this.plan) return;
    this.accept.disabled = true;
    setText(this.said, this.translate('Starting…'));
    try {
      const came = await this.start({ params: this.changed(), force: this.force, ...(this.publish?.checked && { publish: true }), ...(this.goesOn() && { resume: true }) });
      if (typeof came === 'string') {
        this.started = { run: came, resumes: this.goesOn() };
        this.node.close();
        return;
      }
      setText(this.said, '');
      this.showProblems(came);
      // With other parameters it may not be.
      this.refused = true;
      this.accept.disabled = false;
    } catch (error) {
      this.accept.disabled = false;
      this.fail(error);
    }
  }
}
