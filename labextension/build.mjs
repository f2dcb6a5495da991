// Bundles what the kernel mounts into files that the wheel ships: one ES module and one style sheet for each widget.
import { readFileSync } from 'node:fs';

import * as esbuild from 'esbuild';

const options = {
  entryPoints: ['labextension/widget/run.ts'],
  outdir: 'mlwidgets/views/static',
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  legalComments: 'inline',
  banner: { js: `/*! Contains uPlot, under this licence:\n\n${readFileSync('node_modules/uplot/LICENSE', 'utf8')}*/` },
  logLevel: 'warning',
};

if (process.argv.includes('--watch')) {
  await (await esbuild.context({ ...options, logLevel: 'info' })).watch();
} else {
  await esbuild.build(options);
}
