// Notes when this page's call reached each step, in epoch milliseconds; installed before the page's own code.
(() => {
  const epochMs = () => performance.timeOrigin + performance.now();
  const marks = (window.__marks = {});
  const mark = (step, atMs = epochMs()) => {
    marks[step] ??= atMs;
  };

  addEventListener('click', () => mark('click'), { capture: true });

  const devices = navigator.mediaDevices;
  if (devices) {
    const open = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (constraints) => {
      mark('microphone asked');
      const stream = await open(constraints);
      mark('microphone open');
      return stream;
    };
  }

  const stockFetch = window.fetch.bind(window);
  window.fetch = async (resource, init) => {
    const url = String(resource?.url ?? resource);
    const isOffer = String(init?.body ?? '').includes('"sdp"') || url.endsWith('/api/offer');
    const method = init?.method ?? resource?.method;
    // Candidates are patched in afterwards, at the same address.
    const name = method !== 'POST' ? null : url.endsWith('/start') ? 'start' : isOffer ? 'offer' : null;
    if (name) mark(`${name} sent`);
    const response = await stockFetch(resource, init);
    if (name) mark(`${name} answered`);
    return response;
  };

  async function firstPacket(peer) {
    for (;;) {
      for (const report of (await peer.getStats()).values()) {
        if (report.type !== 'inbound-rtp' || !report.packetsReceived) continue;
        // One packet each 20 ms: how many there are says when the first one came.
        const sinceMs = 20 * (report.packetsReceived - 1);
        return mark('first packet', report.lastPacketReceivedTimestamp - sinceMs);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  const Stock = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Stock {
    constructor(...args) {
      super(...args);
      mark('peer made');
      this.addEventListener('iceconnectionstatechange', () => {
        if (['connected', 'completed'].includes(this.iceConnectionState)) mark('ice connected');
      });
      this.addEventListener('connectionstatechange', () => {
        if (this.connectionState !== 'connected') return;
        mark('connected');
        void firstPacket(this);
      });
    }
    async setLocalDescription(...args) {
      await super.setLocalDescription(...args);
      mark('offer made');
    }
    async setRemoteDescription(...args) {
      await super.setRemoteDescription(...args);
      mark('answer taken');
    }
  };
})();
