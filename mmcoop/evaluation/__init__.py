"""Metrics that mmpretrain lacks, and what is computed from evaluations."""

from .calibration_error import (
    Bins,
    CalibrationError,
    confidence_bins,
    expected_calibration_error,
)
from .harmonic_mean import harmonic_mean
from .out_of_distribution import OutOfDistribution
from .rejection import SCORES, acceptance_threshold, rejection_score
from .separation import auroc, average_precision, false_positive_rate
from .temperature_scaling import fit_temperature

__all__ = [
    'SCORES',
    'Bins',
    'CalibrationError',
    'OutOfDistribution',
    'acceptance_threshold',
    'auroc',
    'average_precision',
    'confidence_bins',
    'expected_calibration_error',
    'false_positive_rate',
    'fit_temperature',
    'harmonic_mean',
    'rejection_score',
]
