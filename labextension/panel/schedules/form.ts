// The form that a schedule is made and changed with: its next times are shown while one types.
import { button, element } from '../../views/dom.ts';
import type { Summary } from '../model.ts';
import { keyOf } from '../model.ts';
import type { Words } from '../words.ts';
import type { Book } from './book.ts';
import { choice, Line, suggest, textInput, tick } from './fields.ts';
import { changesOf, givenOf, isWrong, newValues, valuesOf, whenOf, type Values } from './given.ts';
import type { Given, Kept, Kind } from './model.ts';
import { ParamFields } from './params.ts';
import { Times } from './preview.ts';
import { ownZone } from './times.ts';
import { fieldOf } from './values.ts';
import { WhenFields } from './when.ts';

export interface Preset {
  readonly schedule?: Kept;
  readonly notebook?: string;
}

/** Resolves to the name of what was saved; to null where the user does not want to. */
export function askForSchedule(book: Book, words: Words, preset: Preset): Promise<string | null> {
  return new Promise((resolve) => {
    new ScheduleForm(book, words, preset, resolve);
  });
}

class ScheduleForm {
  private readonly box: HTMLDialogElement;
  private readonly form: HTMLFormElement;
  private readonly refused = element('p', 'mlw-wrong', { role: 'alert' });
  private readonly accept: HTMLButtonElement;
  private readonly lines: Readonly<Record<string, Line<HTMLInputElement | HTMLSelectElement>>>;
  private readonly kind: HTMLSelectElement;
  private readonly overlap: HTMLInputElement;
  private readonly when: WhenFields;
  private readonly params: ParamFields;
  private readonly times: Times;
  private readonly more = element('details', 'mlw-form-more');
  private readonly runs: readonly Summary[];
  private readonly start: Values;
  private saved: string | null = null;

  constructor(
    private readonly book: Book,
    private readonly words: Words,
    private readonly preset: Preset,
    resolve: (saved: string | null) => void,
  ) {
    const { schedule } = preset;
    const title = schedule ? words.__('Edit %1', schedule.name) : words.__('New schedule');
    this.start = schedule ? valuesOf(schedule) : newValues(ownZone(), { notebook: preset.notebook ?? '', kind: book.canSchedule ? 'report' : 'run' });
    const { start } = this;
    this.runs = repeatable(book, schedule);
    this.kind = choice('kind', start.kind, kinds(words, book, this.runs, start.kind));
    this.kind.disabled = schedule !== undefined;
    this.when = new WhenFields(start, words);
    this.params = new ParamFields(book, start.params, words);
    this.times = new Times(book, words);
    this.lines = this.makeLines();
    const overlap = tick('overlap', start.overlap, words.__('Start although the one before still runs'));
    this.overlap = overlap.input;
    this.accept = element('button', 'mlw-button mlw-primary', { type: 'submit' }, schedule ? words.__('Save') : words.__('Schedule'));
    const cancel = button(words.__('Cancel'), 'mlw-button', () => {
      this.box.close();
    });
    this.box = element('dialog', 'mlw-panel-colours mlw-dialog mlw-schedule-form', { 'aria-label': title, 'data-lm-suppress-shortcuts': 'true' });
    const rows = element('div', 'mlw-form-rows', {}, ...this.parts(overlap.node));
    this.form = element('form', 'mlw-form', { method: 'dialog', novalidate: '' }, element('h2', 'mlw-dialog-title', {}, title), rows, this.refused, element('div', 'mlw-dialog-buttons', {}, cancel, this.accept));
    this.box.append(this.form);
    this.listen(resolve);
    document.body.append(this.box);
    this.box.showModal();
    this.changed('');
    const first = schedule || preset.notebook ? this.when.rhythm : start.kind === 'report' ? this.line('notebook').input : this.kind;
    first.focus();
  }

  private line(name: string): Line<HTMLInputElement | HTMLSelectElement> {
    const line = this.lines[name];
    if (!line) throw new Error(`no field ${name}`);
    return line;
  }

  private makeLines(): Readonly<Record<string, Line<HTMLInputElement | HTMLSelectElement>>> {
    const { words, start } = this;
    const days = { inputmode: 'decimal', class: 'mlw-field mlw-short' };
    const own = start.matrix === null;
    const matrix = new Line(words.__('One report for each of'), textInput('matrix', start.matrix ?? '', { placeholder: 'region=EU,US', ...(own && { disabled: '' }) }), own ? words.__('These combinations were given in a terminal, and stay.') : '');
    return {
      kind: new Line(words.__('Starts'), this.kind),
      notebook: new Line(words.__('Notebook'), textInput('notebook', start.notebook, { placeholder: 'sales.ipynb' })),
      run: new Line(words.__('Run'), choice('run', start.run, this.runs.map((run) => [keyOf(run), run.name] as const))),
      name: new Line(words.__('Name'), textInput('name', start.name)),
      cron: this.when.line,
      timezone: new Line(words.__('Time zone'), textInput('timezone', start.timezone)),
      matrix,
      until: new Line(words.__('Until'), textInput('until', start.until, { type: 'date' })),
      jitter: new Line(words.__('Put off by up to (min)'), textInput('jitter', start.jitter, days)),
      after: new Line(words.__('Only after'), textInput('after', start.after, { placeholder: words.__('a report or a run') }), words.__('Only where it has succeeded since the last time.')),
      when_changed: new Line(words.__('Only when these files change'), textInput('changed', start.changed, { placeholder: 'data/*.csv' })),
      missed: new Line(words.__('Missed times'), choice('missed', start.missed, [['once', words.__('run once for all of them')], ['record', words.__('are only recorded')]])),
      retries: new Line(words.__('Tries after a failure'), textInput('retries', start.retries, { inputmode: 'numeric', class: 'mlw-field mlw-short' })),
      wait: new Line(words.__('each after (min)'), textInput('wait', start.wait, days)),
      source: new Line(words.__('Notebook as in commit'), textInput('source', start.source, { placeholder: 'current' }), words.__('A commit, a branch or a tag; “current” is the file as it is.')),
      notify: new Line(words.__('Tell somebody'), choice('on', start.on, occasions(words, start.on === 'own'))),
      to: new Line(words.__('Whom'), textInput('to', start.to, { placeholder: 'browser, mailto:me@example.org, slack:$SLACK_WEBHOOK' }), words.__('browser, mailto:…, https://…, slack:$NAME')),
    };
  }

  private parts(overlap: HTMLElement): Node[] {
    const { words } = this;
    const node = (name: string): HTMLElement => this.line(name).node;
    const pair = (...names: string[]): HTMLElement => element('div', 'mlw-form-pair', {}, ...names.map(node));
    const heading = (text: string): HTMLElement => element('h3', 'mlw-form-heading', {}, text);
    const lists = ([['notebook', this.notebooks()], ['timezone', zones()], ['after', this.names()]] as const).flatMap(([name, texts]) => {
      const { input } = this.line(name);
      return input instanceof HTMLInputElement ? [suggest(input, texts)] : [];
    });
    this.more.append(
      element('summary', '', {}, words.__('More')),
      pair('missed', 'until'),
      pair('retries', 'wait', 'jitter'),
      overlap,
      node('after'),
      node('when_changed'),
      node('matrix'),
      node('source'),
    );
    return [
      pair('kind', 'name'),
      node('notebook'),
      node('run'),
      heading(words.__('When')),
      node('cron'),
      node('timezone'),
      this.times.node,
      this.params.node,
      heading(words.__('Notices')),
      pair('notify', 'to'),
      this.more,
      ...lists,
    ];
  }

  private listen(resolve: (saved: string | null) => void): void {
    const { box, form } = this;
    form.addEventListener('input', (event) => {
      const { target } = event;
      if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement) this.changed(target.name);
    });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.save();
    });
    box.addEventListener('keydown', (event) => {
      event.stopPropagation();
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    box.addEventListener('close', () => {
      this.times.dispose();
      box.remove();
      resolve(this.saved);
    });
  }

  private values(): Values {
    const value = (name: string): string => this.line(name).input.value;
    const run = value('run');
    return {
      ...this.when.values(),
      kind: this.kind.value as Kind,
      notebook: value('notebook'),
      // A run that is not listed any more is repeated all the same.
      run: run ? run.slice(run.indexOf('\n') + 1) : this.start.run,
      name: value('name'),
      timezone: value('timezone'),
      params: this.params.value,
      matrix: this.start.matrix === null ? null : value('matrix'),
      missed: value('missed'),
      overlap: this.overlap.checked,
      jitter: value('jitter'),
      until: value('until'),
      retries: value('retries'),
      wait: value('wait'),
      after: value('after'),
      changed: value('when_changed'),
      source: value('source'),
      on: value('notify') as Values['on'],
      to: value('to'),
    };
  }

  /** Show what belongs to what was chosen. */
  private changed(name: string): void {
    const values = this.values();
    const { kind } = values;
    const isReport = kind === 'report';
    this.line('notebook').node.hidden = !isReport;
    this.line('run').node.hidden = isReport;
    this.line('matrix').node.hidden = this.line('source').node.hidden = !isReport;
    this.line('to').node.hidden = values.on === 'never' || values.on === 'own';
    this.showName(values);
    if (name === 'kind' || name === '') this.showRuns(kind);
    if (isReport) this.params.of(values.notebook.trim());
    else this.params.ofRun();
    if (values.rhythm === 'event' && name === 'rhythm') {
      this.more.open = true;
      this.line('after').input.focus();
    }
    this.line('timezone').node.hidden = values.rhythm === 'event';
    for (const [field, line] of Object.entries(this.lines)) if (field === name || name === '') line.wrong('');
    if (name === 'changed') this.line('when_changed').wrong('');
    this.refused.textContent = '';
    this.showTimes(values);
  }

  private showName({ kind, notebook, run }: Values): void {
    const chosen = this.runs.find(({ id }) => id === run)?.name ?? '';
    const stem = notebook.trim().replace(/^.*\//, '').replace(/\.ipynb$/, '');
    const { input } = this.line('name');
    if (input instanceof HTMLInputElement) input.placeholder = kind === 'report' ? stem || 'sales' : chosen;
  }

  private showRuns(kind: Kind): void {
    const { input } = this.line('run');
    const fit = this.runs.filter((run) => (run.sweep != null) === (kind === 'sweep'));
    input.replaceChildren(...fit.map((run) => element('option', '', { value: keyOf(run) }, run.name)));
    const chosen = fit.find(({ id }) => id === this.start.run) ?? fit[0];
    if (chosen) input.value = keyOf(chosen);
    (input as HTMLSelectElement).disabled = this.preset.schedule !== undefined && fit.length < 2;
  }

  private showTimes(values: Values): void {
    // What has nothing to do with times does not keep them from being shown.
    const given = givenOf({ ...values, params: '', matrix: '', kind: 'report', notebook: 'x', jitter: '0', retries: '0', wait: '0' });
    if (isWrong(given)) {
      this.times.none();
      return;
    }
    this.times.ask(this.store(values), whenOf(given), (message) => {
      const field = message ? (fieldOf(message) ?? 'cron') : '';
      for (const one of ['cron', 'timezone', 'until', 'after', 'when_changed']) this.line(one).wrong(one === field ? message : '');
    });
  }

  private store({ kind, run }: Values): string {
    if (this.preset.schedule) return this.preset.schedule.store;
    if (kind === 'report') return '';
    return this.runs.find(({ id }) => id === run)?.store ?? '';
  }

  private async save(): Promise<void> {
    if (this.accept.disabled) return;
    const values = this.values();
    const given = givenOf(values);
    if (isWrong(given)) {
      this.tell(given.field, this.words.__(given.message));
      return;
    }
    this.accept.disabled = true;
    try {
      this.saved = await this.send(given, values);
      this.box.close();
    } catch (error) {
      this.saved = null;
      const message = error instanceof Error ? error.message : String(error);
      this.tell(fieldOf(message), message);
    }
    this.accept.disabled = false;
  }

  private async send(given: Given, values: Values): Promise<string> {
    const { schedule } = this.preset;
    const called = given.name ?? this.line('name').input.getAttribute('placeholder') ?? '';
    if (!schedule) {
      await this.book.add(this.store(values), given);
      return called;
    }
    const changes = changesOf(schedule, given);
    if (Object.keys(changes).length) await this.book.edit(schedule, changes);
    return called;
  }

  private tell(field: string | null, message: string): void {
    if (field === 'params') {
      this.params.wrong(message);
      return;
    }
    const line = field === null ? undefined : this.lines[field];
    if (!line || line.node.hidden) {
      this.refused.textContent = message;
      return;
    }
    if (this.more.contains(line.node)) this.more.open = true;
    line.wrong(message);
    if (field === 'cron') this.when.focus();
    else line.input.focus();
  }

  private notebooks(): string[] {
    const known = this.book.project.list.choices().notebooks;
    return [...new Set([...known, ...this.book.schedules.flatMap(({ notebook }) => notebook ?? [])])].sort();
  }

  private names(): string[] {
    const reports = this.book.schedules.flatMap((one) => one.reports.map(({ name }) => name));
    return [...new Set([...reports, ...this.runs.map(({ name }) => name)])].sort();
  }
}

function kinds(words: Words, book: Book, runs: readonly Summary[], now: Kind): (readonly [Kind, string])[] {
  const all: readonly (readonly [Kind, string, boolean])[] = [
    ['report', words.__('Report of a notebook'), book.canSchedule],
    ['run', words.__('A run, again'), runs.some(({ sweep }) => sweep == null)],
    ['sweep', words.__('A sweep, again'), runs.some(({ sweep }) => sweep != null)],
  ];
  return all.filter(([kind, , possible]) => possible || kind === now).map(([kind, label]) => [kind, label] as const);
}

function occasions(words: Words, own: boolean): (readonly [string, string])[] {
  return [
    ['failure', words.__('when it fails')],
    ['recovery', words.__('when it fails, and works again')],
    ['always', words.__('always')],
    ['never', words.__('never')],
    ...(own ? [['own', words.__('as it was given')] as const] : []),
  ];
}

/** Runs that can be started again: the newest of each name, and the one that is. */
function repeatable(book: Book, schedule: Kept | undefined): Summary[] {
  const newest = new Map<string, Summary>();
  for (const run of book.project.list.all()) {
    if (run.trial_of != null || run.report || (schedule && run.store !== schedule.store)) continue;
    const key = `${run.store}\n${run.name}\n${run.sweep ? 's' : ''}`;
    const before = newest.get(key);
    const chosen = schedule && before?.id === schedule.run;
    if (run.id === schedule?.run || (!chosen && (before?.submitted ?? 0) < run.submitted)) newest.set(key, run);
  }
  return [...newest.values()].sort((a, b) => b.submitted - a.submitted);
}

function zones(): string[] {
  const all = Intl as { supportedValuesOf?: (key: 'timeZone') => string[] };
  return ['UTC', ...(all.supportedValuesOf?.('timeZone') ?? [])];
}
