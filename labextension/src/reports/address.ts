import type { JupyterFrontEnd } from '@jupyterlab/application';

/** Open a page of the server, by its address from the base. */
export function openAddress(app: JupyterFrontEnd, address: string): void {
  window.open(app.serviceManager.serverSettings.baseUrl + address, '_blank', 'noopener');
}
