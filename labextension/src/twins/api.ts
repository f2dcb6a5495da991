// What the server knows of notebooks and their text twins, and does with them.
import { Refused, type Request } from '../../panel/api.ts';
import type { Row } from '../../views/changes/model.ts';
import type { CellState } from './steps.ts';

export type Choice = 'notebook' | 'twin' | 'both';

/** A cell that was changed on both sides since they last said the same. */
export interface Conflict {
  readonly id: string;
  /** Its number in the notebook, from 1. */
  readonly cell: number;
  readonly kind: string;
  readonly notebook: string;
  readonly twin: string;
  /** On which side it is gone. */
  readonly deleted: 'notebook' | 'twin' | null;
  /** From the notebook's version to the twin's. */
  readonly rows: readonly Row[];
}

export interface TwinState {
  /** Path of the text file from the server's root, or its name where it lies elsewhere; null where there is none. */
  readonly twin: string | null;
  readonly format: string | null;
  /** Whether the notebook would be another one with what the text file says. */
  readonly news: boolean;
  readonly conflicts: readonly Conflict[];
  /** Why nothing can be done, in one line. */
  readonly problem: string | null;
  /** Several people write in the notebook by way of the server: it lets the text flow in by itself. */
  readonly shared: boolean;
  /** Of the notebook's file, as the server tells it of each file. */
  readonly hash: string | null;
  /** Tells one state of the text file from others. */
  readonly text: string | null;
}

/** Nothing is known of a twin. */
export const ALONE: TwinState = { twin: null, format: null, news: false, conflicts: [], problem: null, shared: false, hash: null, text: null };

/** The notebook's cells as they become; null where they stay as they are. */
export interface Merge {
  readonly cells: readonly CellState[] | null;
  /** Of the notebook; null where they stay as they are. */
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly conflicts: readonly Conflict[];
}

export interface Plan {
  /** What is consented to. */
  readonly id: string;
  readonly format: string;
  readonly settings: string;
  /** What is written into the settings; null where they say so already. */
  readonly after: string | null;
  readonly created: boolean;
  readonly write: readonly (readonly [string, string])[];
  readonly present: readonly (readonly [string, string])[];
  readonly apart: readonly (readonly [string, string])[];
  /** Notebooks, and their texts of another format, which are removed. */
  readonly leave: readonly (readonly [string, string])[];
  /** Texts of another format that stay, and why. */
  readonly stay: readonly (readonly [string, string])[];
}

export interface NotebookText {
  readonly cells: readonly object[];
  readonly metadata: object;
  readonly nbformat: number;
  readonly nbformat_minor: number;
}

export class TwinsApi {
  /** Tells this page from others that have the same notebook open. */
  readonly client = Math.random().toString(36).slice(2);

  constructor(private readonly request: Request) {}

  state(path: string): Promise<TwinState> {
    return this.ask('twins', { path, client: this.client });
  }

  /** What an open notebook becomes with what its twin says; null while another page is at it. */
  async merge(path: string, notebook: NotebookText, choices: Readonly<Record<string, Choice>> = {}): Promise<Merge | null> {
    return this.ask<Merge | null>('twins', {}, { path, do: 'merge', client: this.client, notebook, choices });
  }

  /** Carry out decisions where several people write in the notebook; what is left to be decided. */
  async settle(path: string, choices: Readonly<Record<string, Choice>>): Promise<readonly Conflict[]> {
    return (await this.ask<{ conflicts: Conflict[] }>('twins', {}, { path, do: 'settle', choices })).conflicts;
  }

  /** Let both files say the same, whoever has the notebook open. */
  async sync(path: string): Promise<void> {
    await this.ask('twins', {}, { path, do: 'sync' });
  }

  /** The page has the notebook open no longer. */
  close(path: string): void {
    void this.ask('twins', {}, { path, do: 'close', client: this.client }).catch(() => undefined);
  }

  async unpair(path: string): Promise<void> {
    await this.ask('twins', {}, { path, do: 'unpair' });
  }

  plan(folder: string, format: string): Promise<Plan> {
    return this.ask('twins/plan', { folder, ...(format ? { format } : {}) });
  }

  /** Write what was shown; what is wrong with single notebooks. */
  async pair(folder: string, format: string, plan: string): Promise<readonly string[]> {
    return (await this.ask<{ problems: string[] }>('twins/plan', {}, { folder, ...(format ? { format } : {}), plan })).problems;
  }

  private async ask<T>(route: string, query: Readonly<Record<string, string>>, body?: object): Promise<T> {
    const search = new URLSearchParams(query).toString();
    const init = body ? { method: 'POST', body: JSON.stringify(body) } : { method: 'GET' };
    const response = await this.request(search ? `${route}?${search}` : route, init);
    const text = await response.text();
    let content: unknown = undefined;
    try {
      content = JSON.parse(text);
    } catch {
      // A proxy's page in place of an answer.
    }
    if (response.ok && content !== undefined) return content as T;
    const said = (content as { message?: unknown } | undefined)?.message;
    throw new Refused(typeof said === 'string' && said ? said : response.statusText || `HTTP ${response.status}`, response.status);
  }
}
