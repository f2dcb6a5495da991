// What the panel asks of the server.
import type { RerunAsked, RerunPlan } from '../views/rerunmodel.ts';
import type { Annotations, Info, Slots, Sparkline, StoreName, Summary } from './model.ts';

/** Asks the server; in JupyterLab its own settings do, elsewhere `fetch` with the page's cookies. */
export type Request = (path: string, init: RequestInit) => Promise<Response>;

/** What the server refused, in one line that says what to do. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly status: number,
    /** All of the answer. */
    readonly content: unknown = null,
  ) {
    super(message);
  }
}

/** What names a run. */
export type Named = Pick<Summary, 'id' | 'store'>;

export interface Page {
  readonly total: number;
  /** What to ask for the next page with; null with the last. */
  readonly cursor: string | null;
  readonly runs: readonly Summary[];
}

export class Api {
  /** Seconds that the server's clock is ahead of this one, to the second. */
  skew = 0;

  /** `request` takes paths below `<base>mlwidgets/api/`. */
  constructor(readonly request: Request) {}

  info(): Promise<Info> {
    return this.get('info');
  }

  async stores(paths: readonly string[]): Promise<readonly StoreName[]> {
    return (await this.get<{ stores: StoreName[] }>('stores', paths.map((path) => ['path', path] as const))).stores;
  }

  runs(store: string, limit: number, after?: string): Promise<Page> {
    return this.get('runs', [['store', store], ['limit', String(limit)], ...(after ? [['after', after] as const] : [])]);
  }

  run(store: string, id: string): Promise<Summary> {
    return this.get(`runs/${encodeURIComponent(id)}`, [['store', store]]);
  }

  async sparklines(store: string, metric: string, ids: readonly string[]): Promise<Readonly<Record<string, Sparkline>>> {
    const asked = [['store', store], ['metric', metric], ['ids', ids.join(',')]] as const;
    return (await this.get<{ sparklines: Record<string, Sparkline> }>('sparklines', asked)).sparklines;
  }

  slots(): Promise<Slots> {
    return this.get('slots');
  }

  /** What a notebook keeps of the run, by MIME type. */
  bundle(store: string, id: string): Promise<Record<string, unknown>> {
    return this.get(`runs/${encodeURIComponent(id)}/bundle`, [['store', store]]);
  }

  annotate(run: Summary, annotations: Annotations): Promise<Summary> {
    return this.change('PATCH', run, '', annotations);
  }

  stop(run: Summary): Promise<Summary> {
    return this.change('POST', run, '/stop');
  }

  delete(run: Summary): Promise<{ undo_until: number }> {
    return this.change('DELETE', run, '');
  }

  rerunPlan(run: Named): Promise<RerunPlan> {
    return this.get(`runs/${encodeURIComponent(run.id)}/rerun`, [['store', run.store]]);
  }

  rerun(run: Named, asked: RerunAsked): Promise<Summary> {
    return this.change('POST', run, '/rerun', asked);
  }

  restore(run: Summary): Promise<Summary> {
    return this.change('POST', run, '/restore');
  }

  private change<T>(method: string, { id, store }: Named, what: string, body?: object): Promise<T> {
    const init = body ? { method, body: JSON.stringify(body) } : { method };
    return this.read(`runs/${encodeURIComponent(id)}${what}`, [['store', store]], init);
  }

  private get<T>(path: string, query: readonly (readonly [string, string])[] = []): Promise<T> {
    return this.read(path, query, { method: 'GET' });
  }

  private async read<T>(path: string, query: readonly (readonly [string, string])[], init: RequestInit): Promise<T> {
    const search = new URLSearchParams(query.map(([name, value]) => [name, value])).toString();
    const response = await this.request(search ? `${path}?${search}` : path, init);
    const text = await response.text();
    const date = Date.parse(response.headers.get('Date') ?? '');
    const skew = (date - Date.now()) / 1000;
    if (!Number.isNaN(skew)) this.skew = Math.abs(skew) < 2 ? 0 : skew;
    let content: unknown = null;
    try {
      content = text ? JSON.parse(text) : null;
    } catch {
      // A proxy's page, or a server without the extension: its status says enough.
    }
    if (response.ok) return content as T;
    const said = (content as { message?: unknown } | null)?.message;
    throw new Refused(typeof said === 'string' && said ? said : response.statusText || `HTTP ${response.status}`, response.status, content);
  }
}
