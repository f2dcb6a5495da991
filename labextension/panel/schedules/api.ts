// What schedules ask of the server.
import { Refused, type Request } from '../api.ts';
import type { Firing, Given, Listed, Missed, Notice, Param, Preview, Schedule } from './model.ts';

interface Answer {
  readonly content: unknown;
  readonly etag: string;
}

export class ScheduleApi {
  /** What was answered last, by store: asked for again, an answer that is the same is not sent. */
  private readonly kept = new Map<string, { readonly etag: string; readonly listed: Listed }>();

  constructor(private readonly request: Request) {}

  async list(store: string): Promise<Listed> {
    const kept = this.kept.get(store);
    const headers: Record<string, string> = kept?.etag ? { 'If-None-Match': kept.etag } : {};
    const answer = await this.read(`schedules?${query({ store })}`, { method: 'GET', headers });
    if (answer === null) return kept?.listed ?? this.again(store);
    const listed = answer.content as Listed;
    this.kept.set(store, { etag: answer.etag, listed });
    return listed;
  }

  add(store: string, given: Given): Promise<{ store: string; schedule: Schedule }> {
    return this.ask('POST', `schedules?${query({ store })}`, given);
  }

  edit(store: string, id: string, given: Given): Promise<Schedule> {
    return this.ask('PATCH', at(store, id), given);
  }

  remove(store: string, id: string): Promise<{ name: string }> {
    return this.ask('DELETE', at(store, id));
  }

  /** What may be done with a schedule without any more to say. */
  act(store: string, id: string, what: 'pause' | 'resume' | 'run' | 'duplicate' | 'restore'): Promise<unknown> {
    return this.ask('POST', at(store, id, `/${what}`));
  }

  preview(store: string, given: Given): Promise<Preview> {
    return this.ask('POST', `schedules/preview?${query({ store })}`, given);
  }

  async firings(store: string, schedule: string, limit: number): Promise<readonly Firing[]> {
    const asked = query({ store, schedule, limit: String(limit) });
    return (await this.ask<{ firings: Firing[] }>('GET', `schedules/firings?${asked}`)).firings;
  }

  async missed(store: string): Promise<readonly Missed[]> {
    return (await this.ask<{ missed: Missed[] }>('GET', `schedules/missed?${query({ store })}`)).missed;
  }

  async dismiss(store: string, seen: number): Promise<readonly Missed[]> {
    return (await this.ask<{ missed: Missed[] }>('POST', `schedules/missed?${query({ store })}`, { seen })).missed;
  }

  notices(store: string, since: number | null): Promise<{ last: number; notices: readonly Notice[] }> {
    return this.ask('GET', `notices?${query({ store, ...(since === null ? {} : { since: String(since) }) })}`);
  }

  async params(path: string): Promise<readonly Param[]> {
    return (await this.ask<{ params: Param[] }>('GET', `reports/params?${query({ path })}`)).params;
  }

  private again(store: string): Promise<Listed> {
    this.kept.delete(store);
    return this.list(store);
  }

  private async ask<T>(method: string, path: string, body?: object): Promise<T> {
    const answer = await this.read(path, body ? { method, body: JSON.stringify(body) } : { method });
    return answer?.content as T;
  }

  /** Null where nothing has changed since. */
  private async read(path: string, init: RequestInit): Promise<Answer | null> {
    const response = await this.request(path, init);
    if (response.status === 304) return null;
    const text = await response.text();
    let content: unknown = null;
    try {
      content = text ? JSON.parse(text) : null;
    } catch {
      // A proxy's page in place of an answer.
    }
    if (response.ok && content !== null) return { content, etag: response.headers.get('Etag') ?? '' };
    const said = (content as { message?: unknown } | null)?.message;
    throw new Refused(typeof said === 'string' && said ? said : response.statusText || `HTTP ${response.status}`, response.status);
  }
}

function at(store: string, id: string, what = ''): string {
  return `schedules/${encodeURIComponent(id)}${what}?${query({ store })}`;
}

function query(given: Readonly<Record<string, string>>): string {
  return new URLSearchParams(given).toString();
}
