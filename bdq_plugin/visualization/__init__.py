"""Pictures of what an encoder does and of what was measured."""

from .figures import contact_sheet, encoding_stages, save_figure

__all__ = ['contact_sheet', 'encoding_stages', 'save_figure']
