/**
 * HTML that the assistant shows, made fit for a frame. It is whoever speaks that wrote it, and they may
 * have read it somewhere: it must reach neither the page nor the network.
 *
 * The frame is the wall: `sandbox` without any permission (no script, no origin, no form, no popup, no
 * way to the top), and a policy in the document that forbids every load. What a frame without scripts can
 * still do, it is not given: addresses to follow, and hosts to connect to ahead of need.
 */

/** Nothing is loaded. Styles stand in the document, pictures in data: addresses. */
export const SANDBOX_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/** Elements that would load, connect, go elsewhere or nest, or that are read differently the second time. */
const TAKEN_OUT =
  'script, noscript, template, link, meta, base, iframe, frame, frameset, object, embed, applet, portal, fencedframe, ' +
  'noframes, noembed, xmp, plaintext, audio, video, source, track, animate, animateMotion, animateTransform, set, foreignObject, math, svg style';
/** Attributes that name an address, or that take the keyboard or a click away from the page. */
const ADDRESSES = /^(on.*|href|xlink:href|action|formaction|target|ping|src|srcset|srcdoc|background|poster|data|cite|longdesc|manifest|codebase|archive|autofocus|accesskey|popover.*|command.*)$/i;
const DATA_PICTURE = /^data:image\/(png|jpeg|gif|webp|avif|svg\+xml)[;,]/i;

const STYLE =
  ':root{color-scheme:light;background:#fffaf0;color:#1b2822;font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}' +
  'body{margin:1rem}img,svg,table{max-width:100%}';

/** What is read differently each time that it is read would not be what was looked at. */
const MOST_READINGS = 4;

/** The document for `<iframe sandbox="" srcdoc>`. The HTML is read where nothing is loaded and nothing runs. */
export function sandboxed(html: string): string {
  return (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">' +
    `<meta http-equiv="Content-Security-Policy" content="${SANDBOX_POLICY}">` +
    '<meta name="referrer" content="no-referrer"><meta http-equiv="x-dns-prefetch-control" content="off">' +
    `<style>${STYLE}</style></head>${steady(html)}</html>`
  );
}

function steady(html: string): string {
  let before = html;
  for (let reading = 0; reading < MOST_READINGS; reading++) {
    const body = cleaned(before);
    if (body === before) return body;
    before = body;
  }
  const { body } = read('');
  body.textContent = read(html).body.textContent;
  return body.outerHTML;
}

function cleaned(html: string): string {
  const { head, body } = read(html);
  body.prepend(...head.querySelectorAll('style'));
  for (const element of body.querySelectorAll(TAKEN_OUT)) element.remove();
  for (const element of [body, ...body.querySelectorAll('*')]) {
    for (const { name, value } of [...element.attributes]) {
      const isPicture = name === 'src' && element.localName === 'img' && DATA_PICTURE.test(value.trim());
      if (ADDRESSES.test(name) && !isPicture) element.removeAttribute(name);
    }
  }
  return body.outerHTML;
}

function read(html: string): Document {
  return new DOMParser().parseFromString(html, 'text/html');
}
