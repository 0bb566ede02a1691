"""Stands for papermill where no kernel is tested: the cells of a toy chapter are executed in the run's own process."""

import nbformat


class PapermillExecutionError(Exception):
    def __init__(self, exec_count, error):
        self.exec_count, self.ename, self.evalue = exec_count, type(error).__name__, str(error)
        super().__init__(f"cell {exec_count}: {error}")


def execute_notebook(notebook, output, parameters, **options):
    """Execute the code cells, the parameters after the cell of their defaults, and write what there is to `output`."""
    names, count = {"__name__": "__main__"}, 0
    try:
        for cell in notebook.cells:
            if cell.cell_type == "code":
                count += 1
                exec(cell.source, names)
                if "parameters" in cell.metadata.get("tags", []):
                    names |= parameters
                    count += 1  # papermill executes them in a cell of their own
    except Exception as error:
        cell.outputs = [nbformat.v4.new_output("error", ename=type(error).__name__, evalue=str(error), traceback=[])]
        raise PapermillExecutionError(count, error) from error
    finally:
        nbformat.write(notebook, output)
