import type { JupyterFrontEnd } from '@jupyterlab/application';

/** Open a page of the server, by its address from the base. */
export function openAddress(app: JupyterFrontEnd, address: string): void {
  window.open(app.serviceManager.serverSettings.baseUrl + address, '_blank', 'noopener');
}

/** The page of all reports of a notebook's project, by the keys of the stores that the server shows. */
export function reportsOf(path: string | null, stores: readonly string[]): string {
  const around = stores.filter((key) => key && path?.startsWith(`${key}/`)).sort((a, b) => b.length - a.length);
  const [key] = around;
  return key === undefined ? 'reports/' : `reports/~${key.split('/').map(encodeURIComponent).join('/')}/~/`;
}
