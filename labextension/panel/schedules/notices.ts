// What is left for the browser: of what happened while nobody looked, too.
import type { Book } from './book.ts';
import type { Notice } from './model.ts';

/** Milliseconds between two questions. */
const EVERY = 10_000;

/** Ask for notices as long as the page is there; each is shown once in a browser. */
export function watchNotices(book: Book, base: string, show: (notices: readonly Notice[]) => void): void {
  const ask = async (): Promise<void> => {
    if (!book.offered || !book.project.stream.connected) return;
    for (const store of book.stores) {
      try {
        const key = `mlwidgets:notices:${base}:${store}`;
        const seen = Number(localStorage.getItem(key) ?? NaN);
        const { last, notices } = await book.api.notices(store, Number.isNaN(seen) ? null : seen);
        if (last === seen) continue;
        // Another window of this browser may have said it meanwhile.
        const kept = Number(localStorage.getItem(key) ?? NaN);
        localStorage.setItem(key, String(last));
        if (kept === seen && notices.length) show(notices);
      } catch {
        // It is asked again.
      }
    }
  };
  setInterval(() => {
    void ask();
  }, EVERY);
  const first = book.project.subscribe(() => {
    if (!book.offered || !book.project.stream.connected) return;
    first();
    void ask();
  });
}

/** What it says in one line. */
export function noticeText({ subject, cause }: Notice): string {
  return cause && !subject.includes(cause) ? `${subject}: ${cause}` : subject;
}
