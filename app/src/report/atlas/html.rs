//! One page that needs nothing else. Its style and script are inside, and a policy admits these two by their hash and nothing
//! else: no request, no other script, whatever the corpus holds.

use base64::Engine;
use sha2::{Digest, Sha256};

use super::{UnitReport, compact, subtitle};
use crate::report::html::MARK;
use crate::report::visible::escape;

const STYLE: &str = concat!(include_str!("page/base.css"), include_str!("page/unit.css"));
const SCRIPT: &str = concat!(
    "'use strict';\n(() => {\n",
    include_str!("page/core.js"),
    include_str!("page/figures.js"),
    include_str!("page/unit.js"),
    include_str!("page/list.js"),
    "})();\n"
);

pub(super) fn render(report: &UnitReport) -> String {
    let title = escape(&crate::report::token(&report.title));
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{style_hash}'; script-src 'sha256-{script_hash}'; base-uri 'none'; form-action 'none'">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="golgi {version}">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<header class="bar">{MARK}<span class="brand">Golgi</span><span class="crumb">{model}</span><button type="button" id="theme" aria-label="Switch between light and dark">◐</button></header>
<main>
<aside aria-label="Units"></aside>
<div class="page">
<h1>{title}</h1>
<p class="subtitle">{subtitle}</p>
<noscript><p class="note">The pages are drawn by a script inside this file. Allow it: the file makes no request and needs no network.</p></noscript>
<div id="units"></div>
</div>
</main>
<div id="tip" role="status" hidden></div>
<script type="application/json" id="data">{data}</script>
<script>{SCRIPT}</script>
</body>
</html>
"#,
        style_hash = base64(&Sha256::digest(STYLE.as_bytes())),
        script_hash = base64(&Sha256::digest(SCRIPT.as_bytes())),
        version = escape(&report.manifest.version),
        model = escape(&crate::report::token(&report.manifest.model)),
        subtitle = escape(&crate::report::token(&subtitle(&report.manifest))),
        data = compact::data(report),
    )
}

fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
