// Line colours that stay apart for every kind of colour vision, on light and on dark ground (after Okabe and Ito).
// mlwidgets/views/palette.py holds the same list for static pictures.
export const LINE_COLOURS = ['#0079c1', '#d55e00', '#009e73', '#cc79a7', '#c98500', '#4aa3df', '#8a6fd1'] as const;

export function lineColour(index: number): string {
  return LINE_COLOURS[index % LINE_COLOURS.length] ?? LINE_COLOURS[0];
}
