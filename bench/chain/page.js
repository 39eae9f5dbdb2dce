// Notes when this page's client had each event, and when the page showed it; epoch milliseconds.
(() => {
  const epochMs = () => performance.timeOrigin + performance.now();
  const notes = (window.__chain = []);
  const note = (step, atMs) => notes.push({ step, at_ms: atMs ?? epochMs() });

  const steps = {
    'voice.transcript': ({ role, text }) => role === 'user' && /bye/i.test(text) && 'word at the client',
    'voice.session.status': ({ status }) => status === 'disconnecting' && 'farewell at the client',
    'voice.session.end': () => 'end at the client',
  };
  const Stock = window.WebSocket;
  window.WebSocket = class extends Stock {
    constructor(...args) {
      super(...args);
      this.addEventListener('message', ({ data }) => {
        const atMs = epochMs();
        const { event } = JSON.parse(data);
        const step = event && steps[event.type]?.(event.data);
        if (step) note(step, atMs);
      });
    }
  };

  const shown = {
    'word shown': () => [...document.querySelectorAll('[data-testid=transcript] [data-role=user]')].some((line) => /bye/i.test(line.textContent)),
    'farewell shown': () => document.querySelector('[data-testid=status][data-status=disconnecting]'),
    'end shown': () => document.querySelector('[data-testid=notice][data-code=goodbye]'),
  };
  addEventListener('DOMContentLoaded', () => {
    new MutationObserver(() => {
      for (const [step, isShown] of Object.entries(shown)) {
        if (!isShown()) continue;
        note(step);
        delete shown[step];
      }
    }).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
  });
})();
