// Tools for a page of ComfyUI that a program drives; they use what the page offers to its own code.
window.spacetime = {
  GAP: 40,
  TITLE: 40,

  /** Replace the graph by an API-format workflow, as dropping its file on the page does. */
  open(prompt, name) {
    app.nodeOutputs = {}; // what nodes with the same numbers showed in the graph before
    app.loadApiJson(prompt, name);
  },

  /** Columns from left to right, each a note or groups of nodes from top to bottom. */
  arrange({ columns, sizes }) {
    let x = 0;
    for (const column of columns) {
      const members = column.map((part) => (part.note ? [this.addNote(part.note)] : part.nodes.map((id) => app.graph.getNodeById(id))));
      for (const node of members.flat()) {
        const least = node.computeSize();
        const [width, height] = sizes[node.id] ?? [0, 0];
        if (node.type !== "MarkdownNote") node.setSize([Math.max(least[0], width), Math.max(least[1], height)]);
      }
      const width = Math.max(...members.flat().map((node) => node.size[0]));
      let y = 0;
      column.forEach((part, index) => {
        y = this.stack(members[index], x, y, width, part.title) + this.GAP;
      });
      x += width + 2 * this.GAP;
    }
  },

  /** One group's nodes below each other, all equally wide, with the group's frame around them; the bottom edge. */
  stack(nodes, x, top, width, title) {
    let y = title ? top + this.TITLE : top;
    for (const node of nodes) {
      y += LiteGraph.NODE_TITLE_HEIGHT;
      node.setSize([width, node.size[1]]);
      node.pos = [x, y];
      y += node.size[1] + this.GAP / 2;
    }
    if (!title) return y;
    const group = new LiteGraph.LGraphGroup(title);
    group.pos = [x - this.GAP / 2, top];
    group.size = [width + this.GAP, y - top];
    app.graph.add(group);
    return y;
  },

  addNote({ title, text, size }) {
    const note = LiteGraph.createNode("MarkdownNote");
    note.title = title;
    app.graph.add(note);
    note.widgets[0].value = text;
    note.setSize(size);
    return note;
  },

  /** The graph as Workflow > Export saves it, and as Workflow > Export (API) does. */
  async exported() {
    const { workflow, output } = await app.graphToPrompt();
    return { workflow: JSON.parse(JSON.stringify(workflow)), output: JSON.parse(JSON.stringify(output)) };
  },

  /** A graph with one new node of a type in it. */
  alone(type) {
    app.graph.clear();
    const node = LiteGraph.createNode(type);
    app.graph.add(node);
    const least = node.computeSize();
    node.setSize([Math.max(least[0], 360), least[1]]);
  },

  /** Move the view so that the node of a type is in the middle at full size; its box in the window [x, y, width, height]. */
  centre(type) {
    const [x, y, width, height] = app.graph.nodes.find((node) => node.type === type).getBounding();
    return this.look(x, y, width, height, 1);
  },

  /** Move the view so that the whole graph fills the window's width; its box in the window [x, y, width, height]. */
  fit() {
    const boxes = [...app.graph.nodes.map((node) => node.getBounding()), ...app.graph.groups.map(({ pos, size }) => [...pos, ...size])];
    const left = Math.min(...boxes.map((box) => box[0]));
    const top = Math.min(...boxes.map((box) => box[1]));
    const right = Math.max(...boxes.map((box) => box[0] + box[2]));
    const bottom = Math.max(...boxes.map((box) => box[1] + box[3]));
    return this.look(left, top, right - left, bottom - top, (0.85 * app.canvas.canvas.clientWidth) / (right - left));
  },

  look(x, y, width, height, scale) {
    const { ds, canvas } = app.canvas;
    const place = canvas.getBoundingClientRect();
    ds.scale = scale;
    ds.offset = [place.width / scale / 2 - x - width / 2, place.height / scale / 2 - y - height / 2];
    app.canvas.setDirty(true, true);
    return [place.left + (x + ds.offset[0]) * scale, place.top + (y + ds.offset[1]) * scale, width * scale, height * scale];
  },
};
