// What the harness does inside a page of Notebook 6, in place of JupyterLab's; added after harness.js.
(() => {
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  async function until(what, check) {
    const end = Date.now() + 120_000;
    for (;;) {
      const value = check();
      if (value) return value;
      if (Date.now() > end) throw new Error(`waited two minutes for ${what}`);
      await pause(25);
    }
  }

  const notebook = () => window.Jupyter?.notebook;

  // widgets are registered by an extension that loads after the notebook
  async function ready() {
    await until("the notebook", () => notebook()?._fully_loaded);
    await until(
      "an idle kernel",
      () => notebook().kernel?.is_connected() && notebook().kernel_busy === false,
    );
    await until("the manager of widgets", () => notebook().kernel.widget_manager);
  }

  async function runCell(index) {
    notebook().select(index);
    notebook().execute_cells([index]);
    const cell = notebook().get_cell(index);
    await until(`the end of cell ${index}`, () => !cell.element[0].classList.contains("running"));
    const failed = cell.output_area.outputs.filter((output) => output.output_type === "error");
    return failed.map((output) => ({ cell: index, text: output.traceback.join("\n") }));
  }

  Object.assign(window.harness, {
    ready,
    runCell,
    kernelId: () => notebook().kernel.id,
    save: () => notebook().save_notebook(),
  });
})();
