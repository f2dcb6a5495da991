import { element } from '../../views/dom.ts';
import type { Words } from '../words.ts';
import type { Book } from './book.ts';
import { Line, textInput } from './fields.ts';
import type { Param } from './model.ts';
import { readParams, writeParams } from './values.ts';

/** Milliseconds after the last key in which a notebook's parameters are asked for. */
const PAUSE = 300;

/** What is given to each start: a field for each parameter of a notebook, one for all where they are not known. */
export class ParamFields {
  readonly node = element('div', 'mlw-form-params');
  private readonly heading = element('h3', 'mlw-form-heading');
  private readonly all: Line<HTMLInputElement>;
  private readonly fields = element('div', 'mlw-form-pair');
  private known: { readonly name: string; readonly line: Line<HTMLInputElement> }[] | null = null;
  /** What the notebook no longer has, kept as it was given. */
  private others: Record<string, string> = {};
  private notebook = '';
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly book: Book,
    private readonly start: string,
    words: Words,
  ) {
    this.heading.textContent = words.__('Parameters');
    this.all = new Line(words.__('Names and values'), textInput('params', start, { placeholder: 'region=EU lr=1e-3' }));
    this.node.append(this.heading, this.fields, this.all.node);
    this.show();
  }

  get value(): string {
    if (!this.known) return this.all.input.value;
    const given = this.known.flatMap(({ name, line }): [string, string][] => (line.input.value.trim() ? [[name, line.input.value]] : []));
    return writeParams({ ...this.others, ...Object.fromEntries(given) });
  }

  wrong(message: string): void {
    const named = this.known?.find(({ name }) => message.includes(`'${name}'`) || message.includes(` ${name} `))?.line ?? this.known?.[0]?.line;
    for (const { line } of this.known ?? []) line.wrong('');
    const line = named ?? this.all;
    line.wrong(message);
    line.input.focus();
  }

  /** Ask for what a run is given: any names. */
  ofRun(): void {
    this.notebook = '';
    clearTimeout(this.timer);
    if (this.known) this.show();
  }

  /** Ask for what a notebook is given. */
  of(notebook: string): void {
    for (const { line } of this.known ?? []) line.wrong('');
    if (notebook === this.notebook) return;
    const first = !this.notebook;
    this.notebook = notebook;
    clearTimeout(this.timer);
    if (!notebook.endsWith('.ipynb')) {
      this.show();
      return;
    }
    // Nothing is asked for that may be asked for otherwise in a moment.
    if (first) this.node.hidden = true;
    this.timer = setTimeout(() => {
      this.book.api.params(notebook).then(
        (params) => {
          if (notebook === this.notebook) this.show(params);
        },
        () => {
          // That there is no such notebook is said when one saves.
          if (notebook === this.notebook) this.show();
        },
      );
    }, first ? 0 : PAUSE);
  }

  private show(params: readonly Param[] | null = null): void {
    const given = readParams(this.known ? this.value : this.all.input.value) ?? readParams(this.start) ?? {};
    if (!params) {
      if (this.known) this.all.input.value = writeParams(given);
      this.known = null;
    } else {
      this.known = params.map(({ name, type, help, shown }) => ({
        name,
        line: new Line(name, textInput(`param:${name}`, given[name] ?? '', { placeholder: shown }), [type, help].filter(Boolean).join(' · '), true),
      }));
      const names = new Set(params.map(({ name }) => name));
      this.others = Object.fromEntries(Object.entries(given).filter(([name]) => !names.has(name)));
    }
    this.fields.replaceChildren(...(this.known ?? []).map(({ line }) => line.node));
    this.all.node.hidden = this.known !== null;
    this.node.hidden = this.known?.length === 0;
  }
}
