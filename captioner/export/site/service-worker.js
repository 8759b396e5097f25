/* Caches all files of a release, so that the page works offline. The export fills in the list. */
"use strict";

const RELEASE = "$release";
const FILES = $files;
const PREFIX = "captioner " + self.registration.scope + " ";
const CACHE = PREFIX + RELEASE;

// A new release waits until no page of the old one is open, so that no page mixes their files.
self.addEventListener("install", (event) => event.waitUntil(keepFiles()));
self.addEventListener("activate", (event) => event.waitUntil(dropOlder()));
self.addEventListener("fetch", (event) => {
  const ours = event.request.method === "GET" && event.request.url.startsWith(self.registration.scope);
  if (ours) event.respondWith(fromCache(event.request));
});

async function keepFiles() {
  const cache = await caches.open(CACHE);
  const fresh = (file) => new Request(file, { cache: "no-cache" });
  await cache.addAll(["./", ...FILES].map(fresh));
}

async function dropOlder() {
  const names = await caches.keys();
  const older = names.filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(older.map((name) => caches.delete(name)));
}

async function fromCache(request) {
  const cache = await caches.open(CACHE);
  const cached = await cache.match(request, { ignoreSearch: true });
  return cached ? isolated(cached) : fetch(request);
}

// Browsers allow several threads only to pages with these headers, which many hosts cannot send.
function isolated({ body, headers, status, statusText }) {
  headers = new Headers(headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  return new Response(body, { headers, status, statusText });
}
