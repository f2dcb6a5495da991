import type { Told } from './attachment.ts';
import { savedAt } from './saved.ts';

/**
 * Tells which of a kernel's news about runs to go by. Several threads compute them: what took long may come after what
 * knows more, and what was begun later may come before the end.
 */
export class Latest {
  private time = 0;

  /** Whether these say as much as any before them. The end always does, and nothing else after it. */
  takes(news: Extract<Told, { data: unknown }>): boolean {
    const time = news.type === 'ended' ? Infinity : savedAt(news.data);
    if (time < this.time) return false;
    this.time = time;
    return true;
  }
}
