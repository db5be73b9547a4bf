// Fills the code blocks of a page from the programs that are tested, so that nothing is typed twice:
//
//   node tools/ts/snippets.mjs docs/integration.md
//
// prints the page with the block behind each line `<!-- code: FILE#REGION -->` replaced by what stands
// between `region REGION` and `endregion REGION` in the file.
import { readFileSync } from "node:fs";
import { extname } from "node:path";

const languages = { ".go": "go", ".ts": "ts", ".sh": "sh" };

function region(file, name) {
  const lines = readFileSync(file, "utf8").split("\n");
  const start = lines.findIndex((line) => line.trim().endsWith(` region ${name}`));
  const end = lines.findIndex((line) => line.trim().endsWith(` endregion ${name}`));
  if (start < 0 || end < start) throw new Error(`${file} has no region ${name}`);
  return lines.slice(start + 1, end).join("\n").trim();
}

const page = readFileSync(process.argv[2], "utf8");
const marker = /^<!-- code: (\S+)#(\S+) -->$/gm;
const block = /^<!-- code: (\S+)#(\S+) -->\n(```[a-z]*\n[^]*?\n```\n)?/gm;
if (!marker.test(page)) throw new Error(`${process.argv[2]} has no code of a file`);
process.stdout.write(page.replace(block, (_, file, name) =>
  `<!-- code: ${file}#${name} -->\n\`\`\`${languages[extname(file)]}\n${region(file, name)}\n\`\`\`\n`));
