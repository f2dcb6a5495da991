// Bundles the views for the three places that mount them: the kernel's widget and the panel's own page (one ES module
// and one style sheet each), and the JupyterLab extension, which JupyterLab's own builder wraps as a prebuilt one.
import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import * as esbuild from 'esbuild';

const uplotLicence = readFileSync('node_modules/uplot/LICENSE', 'utf8');
const shared = {
  bundle: true,
  format: 'esm',
  target: 'es2022',
  legalComments: 'inline',
  banner: { js: `/*! Contains uPlot, under this licence:\n\n${uplotLicence}*/` },
  logLevel: 'warning',
};
const widget = {
  ...shared,
  entryPoints: ['labextension/widget/run.ts'],
  outdir: 'mlwidgets/views/static',
  minify: true,
};
const page = {
  ...shared,
  entryPoints: { panel: 'labextension/panel/page.ts' },
  outdir: 'mlwidgets/server/static',
  minify: true,
};
// JupyterLab provides its modules itself; uPlot is bundled by JupyterLab's builder, which lists its licence.
const extension = {
  ...shared,
  entryPoints: ['labextension/src/index.ts'],
  outdir: 'labextension/lib',
  external: ['@jupyterlab/*', '@lumino/*', 'uplot'],
};

if (process.argv.includes('--watch')) {
  await (await esbuild.context({ ...widget, logLevel: 'info' })).watch();
} else {
  await Promise.all([esbuild.build(widget), esbuild.build(page), esbuild.build(extension)]);
  const { resolve } = createRequire(import.meta.url);
  const builder = join(dirname(resolve('@jupyter/builder')), 'build-labextension.js');
  const core = resolve('@jupyterlab/core-meta/core.package.json');
  const { status, stdout, stderr } = spawnSync(process.execPath, [builder, '--core-package-file', core, '.'], {
    encoding: 'utf8',
  });
  if (status !== 0) {
    process.stderr.write(stdout + stderr);
    process.exit(1);
  }
  copyFileSync('labextension/install.json', 'mlwidgets/labextension/install.json');
}
