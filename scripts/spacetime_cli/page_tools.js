// Tools for a page of ComfyUI that a program drives; they use what the page offers to its own code.
window.spacetime = {
  GAP: 40,
  TITLE: 40,

  /** Replace the graph by an API-format workflow, as dropping its file on the page does. */
  open(prompt, name) {
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

  /** Fill the window with the graph; where each node is then, in pixels of the window: {id: [x, y, width, height]}. */
  show(scale, offset) {
    app.canvas.ds.scale = scale;
    app.canvas.ds.offset = offset;
    app.canvas.setDirty(true, true);
    const canvas = app.canvas.canvas.getBoundingClientRect();
    const boxes = app.graph.nodes.map((node) => {
      const [x, y, width, height] = node.getBounding();
      return [node.id, [canvas.left + (x + offset[0]) * scale, canvas.top + (y + offset[1]) * scale, width * scale, height * scale]];
    });
    return Object.fromEntries(boxes);
  },
};
