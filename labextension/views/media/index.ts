// Distributions, images, confusion matrices and tables of one run, below its charts.
import './media.css';

import { element } from '../dom.ts';
import { onThemeChange } from '../theme.ts';
import { HistogramCard } from './histogram.ts';
import { ImageCard, type ReadFile } from './images.ts';
import { MatrixCard } from './matrix.ts';
import { isEmpty, readMedia, type HistogramTrack, type ImageStep, type MatrixStep, type TableStep, type Track } from './model.ts';
import { TableCard } from './table.ts';

/** As many names of one kind are drawn before the reader asks for all. */
const FIRST = 12;

interface AnyCard<T> {
  readonly node: HTMLElement;
  update(track: T): void;
  recolour(): void;
  destroy(): void;
}

/** All tracks of one kind. */
class Section<T extends Track<{ step: number; time: number }>> {
  readonly node: HTMLElement;
  private readonly grid = element('div', 'mlw-media-cards');
  private readonly more = element('button', 'mlw-more', { type: 'button', hidden: '' });
  private readonly cards = new Map<string, AnyCard<T>>();
  private tracks: readonly T[] = [];
  private all = false;

  constructor(
    title: string,
    private readonly create: (track: T) => AnyCard<T>,
  ) {
    const head = element('div', 'mlw-section-head', {}, element('div', 'mlw-section-name', {}, title));
    this.node = element('section', 'mlw-section', { 'aria-label': title, hidden: '' }, head, this.grid, this.more);
    this.more.addEventListener('click', () => {
      this.all = true;
      this.update(this.tracks);
    });
  }

  update(tracks: readonly T[]): void {
    this.tracks = tracks;
    const shown = this.all ? tracks : tracks.slice(0, FIRST);
    const names = new Set(shown.map((track) => track.name));
    for (const [name, card] of this.cards) {
      if (names.has(name)) continue;
      card.destroy();
      this.cards.delete(name);
    }
    for (const track of shown) {
      const known = this.cards.get(track.name);
      const card = known ?? this.create(track);
      if (!known) {
        this.cards.set(track.name, card);
        this.grid.append(card.node);
      }
      card.update(track);
    }
    this.node.hidden = !tracks.length;
    this.more.hidden = shown.length === tracks.length;
    this.more.textContent = `Show all ${tracks.length}`;
  }

  recolour(): void {
    for (const card of this.cards.values()) card.recolour();
  }

  destroy(): void {
    for (const card of this.cards.values()) card.destroy();
    this.cards.clear();
    this.node.remove();
  }
}

export interface MountedMedia {
  /** Show what the run has logged by now; cards that stay keep their place and their step. */
  update(media: unknown): void;
  destroy(): void;
}

/**
 * Draw `media` (what mlwidgets.views.media wrote; null where there is none) into `parent`. With `readFile` images are
 * shown as sharp as they are, and tables can be saved whole.
 */
export function mountMedia(parent: HTMLElement, media: unknown, readFile: ReadFile | null = null): MountedMedia {
  const histograms = new Section('Distributions', (track: HistogramTrack) => new HistogramCard(track));
  const images = new Section('Images', (track: Track<ImageStep>) => new ImageCard(track, readFile));
  const matrices = new Section('Confusion matrices', (track: Track<MatrixStep>) => new MatrixCard(track));
  const tables = new Section('Tables', (track: Track<TableStep>) => new TableCard(track, readFile));
  const hidden = element('div', 'mlw-hint', { hidden: '' });
  const node = element('div', 'mlw-media', {}, histograms.node, images.node, matrices.node, tables.node, hidden);
  const sections = [histograms, images, matrices, tables];
  const endTheme = onThemeChange(() => {
    for (const section of sections) section.recolour();
  });
  const update = (value: unknown): void => {
    const found = readMedia(value);
    node.hidden = isEmpty(found);
    histograms.update(found.histograms);
    images.update(found.images);
    matrices.update(found.matrices);
    tables.update(found.tables);
    hidden.hidden = !found.hidden;
    hidden.textContent = `${found.hidden} more found no room here; all are in the run folder, in media.jsonl.`;
  };
  parent.append(node);
  update(media);
  return {
    update,
    destroy: () => {
      endTheme();
      for (const section of sections) section.destroy();
      node.remove();
    },
  };
}
