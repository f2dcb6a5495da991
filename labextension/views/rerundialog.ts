// The form in which a reader changes parameters, sees what is in the way, and starts a run again.
import { button, element, setText } from './dom.ts';
import type { RerunAsked, RerunPlan, RerunRefused } from './rerunmodel.ts';

/** Translates: `%1` stands for the first value. */
type Translate = (text: string, ...values: (string | number)[]) => string;

const ENGLISH: Translate = (text, ...values) => text.replace(/%(\d)/g, (whole, digit: string) => String(values[Number(digit) - 1] ?? whole));

/**
 * Ask with what parameters a run is to be done again, and start it. Resolves to the new run's id, or to null where the
 * user does not want to.
 */
export function askForRerun(
  name: string,
  look: () => Promise<RerunPlan>,
  start: (asked: RerunAsked) => Promise<string | RerunRefused>,
  translate: Translate = ENGLISH,
): Promise<string | null> {
  return new Promise((resolve) => {
    const form = new RerunForm(name, start, translate, resolve);
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
  private started: string | null = null;

  constructor(
    name: string,
    private readonly start: (asked: RerunAsked) => Promise<string | RerunRefused>,
    private readonly translate: Translate,
    done: (run: string | null) => void,
  ) {
    const title = translate('Rerun %1', name);
    this.node = element('dialog', 'mlw-rerun-dialog', { 'aria-label': title, 'data-lm-suppress-shortcuts': 'true' });
    this.accept = element('button', 'mlw-button mlw-primary', { type: 'submit', disabled: '' }, translate('Start'));
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

  show(plan: RerunPlan): void {
    this.plan = plan;
    const { translate } = this;
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
    if (plan.resumes) {
      this.resume = element('input', '', { type: 'checkbox' });
      const label = translate('Resume after %1, its last checkpoint', plan.resumes);
      this.rows.append(element('label', 'mlw-rerun-tick', {}, this.resume, label));
    }
    this.showList(this.differences, translate('Other than it was then'), plan.differences);
    this.showProblems(plan);
    this.say();
    (this.accept.disabled ? this.inputs[0]?.input ?? this.node.querySelector('button') : this.inputs[0]?.input ?? this.accept)?.focus();
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

  private showProblems({ problems, forcible }: RerunRefused): void {
    const { translate } = this;
    this.refused = false;
    this.force = problems.length > 0 && forcible;
    this.accept.disabled = problems.length > 0 && !forcible;
    setText(this.accept, this.force ? translate('Start all the same') : translate('Start'));
    const heading = forcible ? translate('It may fail, or not be the same run') : translate('It cannot be run again');
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
    if (this.resume?.checked && plan.resumes) {
      const words = translate('A new run goes on after %1; its curves begin with those of this one.', plan.resumes);
      setText(this.said, this.accept.disabled ? '' : words);
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
      const came = await this.start({ params: this.changed(), force: this.force, ...(this.publish?.checked && { publish: true }), ...(this.resume?.checked && { resume: true }) });
      if (typeof came === 'string') {
        this.started = came;
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
