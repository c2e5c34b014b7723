/* SPDX-License-Identifier: Apache-2.0 */
/* The style sheet of report.html. Contrast of text is at least 4.5 in both themes; no state is told
 * by colour alone; words are never broken but where nothing else fits, and what is wider than the
 * page scrolls in its own box. */
#include "render.h"

const char *const render_style[] = {
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#57606a;--line:#d8dee4;"
    "--grid:#e3e7ec;--shade:#fbe3c8;--good:#116329;--bad:#b3261e;--warn:#8a4b00;--card:#f6f8fa;"
    "--good-bg:#e6f4ea;--bad-bg:#fdecea;--warn-bg:#fff3dc;"
    "--c1:#0550ae;--c2:#c4320a;--c3:#7a3e9d;--c4:#6e7781;--c5:#116329;--c6:#9a6700;--c7:#0b7285;"
    "--c8:#a61e6b}\n",
    "@media(prefers-color-scheme:dark){:root{--bg:#0f141a;--fg:#e6edf3;--dim:#9aa5b1;"
    "--line:#30363d;--grid:#2a313a;--shade:#4a3218;--good:#56d364;--bad:#ff7b72;--warn:#e3b341;"
    "--card:#171d24;--good-bg:#12261a;--bad-bg:#2d1618;--warn-bg:#2b2111;"
    "--c1:#79c0ff;--c2:#ff9b70;--c3:#d2a8ff;--c4:#8b949e;--c5:#7ee787;--c6:#e3b341;"
    "--c7:#66d9e8;--c8:#ff8cc6}}\n",
    "*{box-sizing:border-box}html{-webkit-text-size-adjust:100%}"
    "body{margin:0 auto;max-width:76rem;padding:1rem 1.25rem 3rem;background:var(--bg);"
    "color:var(--fg);font:15px/1.5 system-ui,-apple-system,'Segoe UI','Liberation Sans',"
    "sans-serif}\n",
    "h1{font-size:1.7rem;line-height:1.25;margin:0;overflow-wrap:anywhere}"
    "h2{font-size:1.15rem;margin:2rem 0 .4rem}p{margin:.3rem 0;max-width:70rem;"
    "overflow-wrap:anywhere}.dim{color:var(--dim);font-size:.87rem}\n",
    "header{border-left:.5rem solid var(--line);border-radius:.4rem;padding:.9rem 1.1rem;"
    "background:var(--card)}header .facts{color:var(--dim);font-size:.9rem}"
    "header.good{border-color:var(--good);background:var(--good-bg)}"
    "header.bad{border-color:var(--bad);background:var(--bad-bg)}"
    "header.warn{border-color:var(--warn);background:var(--warn-bg)}\n",
    ".problem{border:1px solid var(--line);border-left:.35rem solid var(--line);"
    "border-radius:.4rem;padding:.6rem .9rem;margin:.6rem 0;overflow-wrap:anywhere}"
    ".problem.bad{border-left-color:var(--bad)}.problem.warn{border-left-color:var(--warn)}"
    ".problem h3{font-size:1rem;margin:0 0 .2rem}.problem dl{display:grid;"
    "grid-template-columns:max-content 1fr;gap:0 .8rem;margin:0}"
    ".problem dt{color:var(--dim)}.problem dd{margin:0}\n",
    ".tag{display:inline-block;font-weight:700;font-size:.82em;letter-spacing:.02em}"
    "ul.tiles{list-style:none;padding:0;margin:1rem 0;display:grid;gap:.7rem;"
    "grid-template-columns:repeat(auto-fit,minmax(13rem,1fr))}"
    ".tiles li{border:1px solid var(--line);border-radius:.4rem;padding:.6rem .9rem;"
    "overflow-wrap:anywhere}.tiles b{display:block;font-size:1.55rem;line-height:1.3;"
    "font-variant-numeric:tabular-nums}.tiles span{color:var(--dim);font-size:.87rem}\n",
    ".scroll{overflow-x:auto;border:1px solid var(--line);border-radius:.4rem}"
    "table{border-collapse:collapse;width:100%;font-size:.9rem}"
    "th,td{text-align:left;vertical-align:top;padding:.35rem .55rem;"
    "border-bottom:1px solid var(--line)}tbody tr:last-child td{border-bottom:0}"
    "th{color:var(--dim);background:var(--card);font-weight:600;white-space:nowrap}"
    "td{white-space:nowrap}.num{text-align:right;font-variant-numeric:tabular-nums}"
    "td.name{white-space:normal;min-width:9rem;overflow-wrap:anywhere}"
    "td.text{white-space:normal;min-width:12rem;overflow-wrap:anywhere}\n",
    ".good>b,.good>h1,.good .tag{color:var(--good)}.bad>b,.bad>h1,.bad .tag{color:var(--bad)}"
    ".warn>b,.warn>h1,.warn .tag{color:var(--warn)}\n",
    "figure{margin:.4rem 0}figure .scroll{padding:.4rem}"
    "figure svg{display:block;width:100%;min-width:36rem;height:auto}"
    "ul.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.15rem 1.1rem;padding:0;"
    "margin:.4rem 0;font-size:.87rem;overflow-wrap:anywhere}"
    ".key{display:inline-block;width:1.2rem;height:.25rem;margin-right:.4rem;"
    "vertical-align:middle;print-color-adjust:exact;-webkit-print-color-adjust:exact}"
    ".area{height:.9rem;background:var(--shade);border:1px solid var(--line)}\n",
    ".k1{background:var(--c1)}.k2{background:var(--c2)}.k3{background:var(--c3)}"
    ".k4{background:var(--c4)}.k5{background:var(--c5)}.k6{background:var(--c6)}"
    ".k7{background:var(--c7)}.k8{background:var(--c8)}\n",
    "pre{overflow-x:auto;background:var(--card);padding:.8rem;border-radius:.4rem;"
    "font-size:.85rem}summary{cursor:pointer;font-size:1.15rem;font-weight:600;"
    "margin:2rem 0 .4rem}\n",
    "@media(max-width:600px){body{padding:.6rem .7rem 2rem}h1{font-size:1.35rem}"
    ".problem dl{gap:0 .6rem}ul.tiles{grid-template-columns:1fr 1fr}"
    ".tiles b{font-size:1.25rem}}\n",
    /* Paper does not scroll: what is wide gets smaller and may break. */
    "@page{size:A4 landscape;margin:12mm}"
    "@media print{:root{--bg:#fff;--fg:#000;--dim:#444;--line:#bbb;--grid:#ddd;--shade:#f5dcc0;"
    "--good:#116329;--bad:#b3261e;--warn:#8a4b00;--card:#fff;--good-bg:#fff;--bad-bg:#fff;"
    "--warn-bg:#fff;--c1:#0550ae;--c2:#c4320a;--c3:#7a3e9d;--c4:#6e7781;--c5:#116329;"
    "--c6:#9a6700;--c7:#0b7285;--c8:#a61e6b}body{max-width:none;padding:0;font-size:10pt}"
    ".scroll{overflow:visible;border:0}table{font-size:8pt}th,td{padding:.2rem .4rem}"
    "th{white-space:normal}td.name,td.text{min-width:0}"
    "figure svg{min-width:0}section,tr,.problem,figure{break-inside:avoid}"
    "section.long{break-inside:auto}h2{break-after:avoid}details{display:none}}\n",
    NULL};
