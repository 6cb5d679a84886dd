/** What the editor's maths say about the golden plans: read from standard input, written to standard output, both as JSON. */

import { answer } from "../../web/motion/golden.mjs";

let text = "";
for await (const chunk of process.stdin) text += chunk;
process.stdout.write(JSON.stringify(JSON.parse(text).map(answer)));
