// Requests to the daemon that served the page.

const READ_WITHIN = 4000; // milliseconds; a daemon that takes longer is shown as hung
const CHANGE_WITHIN = 10000;

class Refused extends Error {
  constructor(status, problem) {
    super(problem.errors ? problem.errors.join('\n') : problem.detail || problem.title || `status ${status}`);
    this.status = status;
  }
}

const api = {
  token: null,

  get(path) {
    return this.send('GET', path);
  },

  // body: an object that is sent as JSON, or nothing
  async send(method, path, body) {
    const headers = this.token ? { Authorization: `Bearer ${this.token}` } : {};
    if (body) {
      headers['Content-Type'] = 'application/json';
    }
    const signal = AbortSignal.timeout(method === 'GET' ? READ_WITHIN : CHANGE_WITHIN);
    const response = await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: 'no-store', signal });
    const answer = await response.json();
    if (!response.ok) {
      throw new Refused(response.status, answer);
    }
    return answer;
  },
};
