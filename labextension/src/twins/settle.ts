// A cell in conflict becomes what one side says, or both: through the notebook's model, so that it can be undone.
import { attachmentsOf, settledMetadata, versionsOf, withoutNote, type Take } from './conflicts.ts';
import { describe, type SharedCell, type SharedNotebook } from './model.ts';
import { replacement } from './steps.ts';

/** Whether it is known what the sides of a cell are. */
export function canSettle(kind: string, cell: SharedCell): boolean {
  return (kind === 'edited' ? versionsOf(cell.getSource()) : withoutNote(cell.getSource())) !== null;
}

/** Let a cell be what `take` says. Of one that one side deleted `ours` is to keep it, `theirs` to delete it. */
export function settleCell(notebook: SharedNotebook, at: number, kind: string, take: Take): void {
  const cell = notebook.cells[at];
  if (!cell) return;
  const source = cell.getSource();
  const versions = kind === 'edited' ? versionsOf(source) : null;
  const text = kind === 'edited' ? versions?.[take === 'theirs' ? 'theirs' : 'ours'] : withoutNote(source);
  if (text == null) return;
  // Undone by itself, however fast one goes on.
  for (const one of [notebook, cell]) one.undoManager?.stopCapturing();
  if (kind === 'deleted' && take === 'theirs') {
    notebook.deleteCell(at);
    return;
  }
  const attachments = cell.getAttachments?.();
  const change = (): void => {
    const { start, end, text: put } = replacement(source, text);
    cell.updateSource(start, end, put);
    describe(cell, settledMetadata(cell.getMetadata()));
    // As two cells each has its own.
    if (attachments && kind !== 'deleted') cell.setAttachments?.(attachmentsOf(attachments, versions && take === 'both' ? 'ours' : take, source));
  };
  if (!versions || take !== 'both') {
    // An edit of this cell, which undoing in it takes back.
    cell.transact(change);
    return;
  }
  // As two cells, which is one operation on cells.
  notebook.transact(() => {
    change();
    const code = cell.cell_type === 'code';
    notebook.insertCell(at + 1, {
      cell_type: cell.cell_type,
      source: versions.theirs,
      metadata: code ? { trusted: true } : {},
      ...(attachments ? { attachments: attachmentsOf(attachments, 'theirs', source) } : {}),
    });
  });
}
