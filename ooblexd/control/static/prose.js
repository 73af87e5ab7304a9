// Elements, and the little Markdown that descriptions are written in.

export function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

// `code` alone is set apart; the rest is text.
function inline(text) {
  return text.split(/(`[^`]+`)/).filter(Boolean).map((piece) =>
    piece.startsWith("`") ? element("code", "", piece.slice(1, -1)) : piece.replace(/\s+/g, " "));
}

export function prose(text) {
  const found = element("div", "prose");
  for (const block of (text ?? "").trim().split(/\n\s*\n/)) {
    if (block.startsWith("* ")) {
      const items = block.split(/\n?\* /).filter(Boolean);
      found.append(element("ul", "", ...items.map((item) => element("li", "", ...inline(item)))));
    } else if (block) {
      found.append(element("p", "", ...inline(block)));
    }
  }
  return found;
}
