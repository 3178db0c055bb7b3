// Requests to the daemon that served the page.

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

  async send(method, path) {
    const headers = this.token ? { Authorization: `Bearer ${this.token}` } : {};
    const response = await fetch(path, { method, headers, cache: 'no-store', signal: AbortSignal.timeout(10000) });
    const answer = await response.json();
    if (!response.ok) {
      throw new Refused(response.status, answer);
    }
    return answer;
  },
};
